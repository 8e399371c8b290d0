"""The prompts that weights were trained with, as a chat template: Jinja text that every program with one can fill in.

One turn of the user with one image or several, and for training the answer behind it; that is what the weights have
learnt. The task is said by ``[vqa]``, ``[report]`` or ``[caption]`` in front of the text, as the system
message, or by evaluation's own instruction; everything else about the wording is what ``prompts`` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ...prompts import IMAGE_MARKER, INSTRUCTION, QUESTION, VIEW, PromptTemplate

_TAKEN_APART = (("<ImageHere>", "< ImageHere >"), ("<Img>", "< Img >"), ("</Img>", "< /Img >"))
"""As ``prompts.neutralise``."""


def chat_template(
    templates: Mapping[str, PromptTemplate],
    default: str,
    turn: str,
    end: str,
    begin: str = "",
    special: Sequence[str] = (),
) -> str:
    """A Jinja template.

    Args:
        templates: what samples of each task are asked with.
        default: the task of a text that names none.
        turn: a user turn, ``{}`` where the text goes.
        end: what ends an answer.
        begin: what a sequence begins with.
        special: spellings of special tokens, taken apart in what the user wrote.
    """
    before, behind = turn.split("{}")
    tags = {template.name: _task(template) for template in templates.values()}
    shown = ", ".join(tags)
    lines = [
        f"{{%- set tasks = {_literal(tags)} -%}}",
        f"{{%- set special = {_literal(list(special))} -%}}",
        f"{{%- set ns = namespace(tag={_literal(templates[default].name)}, turns=0, answers=0, text='', views=[]) -%}}",
        "{%- macro plain(text) -%}",
        "{%- set own = namespace(text=text) -%}",
        *(
            f"{{%- set own.text = own.text | replace({_literal(one)}, {_literal(other)}) -%}}"
            for one, other in _TAKEN_APART
        ),
        "{%- for token in special -%}",
        "{%- set own.text = own.text | replace(token, token[0] ~ ' ' ~ token[1:]) -%}",
        "{%- endfor -%}",
        "{{- own.text -}}",
        "{%- endmacro -%}",
        "{%- for message in messages -%}",
        "{%- set ns.text = '' -%}",
        "{%- set ns.views = [] -%}",
        "{%- if message['content'] is string -%}",
        "{%- set ns.text = message['content'] -%}",
        "{%- else -%}",
        "{%- for part in message['content'] -%}",
        "{%- if part['type'] in ('image', 'image_url') -%}",
        "{%- set ns.views = ns.views + [part['view'] or 'image ' ~ (ns.views | length + 1)] -%}",
        "{%- elif part['type'] == 'text' -%}",
        "{%- set ns.text = ns.text ~ ' ' ~ part['text'] -%}",
        "{%- else -%}",
        "{{- raise_exception('this model sees images and text, no ' ~ part['type']) -}}",
        "{%- endif -%}",
        "{%- endfor -%}",
        "{%- endif -%}",
        "{%- set ns.text = ns.text.split() | join(' ') -%}",
        "{%- if message['role'] == 'system' -%}",
        "{%- if ns.text not in tasks -%}",
        f"{{{{- raise_exception('this model was trained without system messages; one may only name the task: {shown}')"
        " -}}",
        "{%- endif -%}",
        "{%- set ns.tag = ns.text -%}",
        "{%- elif message['role'] == 'user' -%}",
        *_user(before, behind, begin),
        "{%- elif message['role'] == 'assistant' -%}",
        "{%- set ns.answers = ns.answers + 1 -%}",
        "{%- if ns.answers != 1 or ns.turns != 1 -%}",
        "{{- raise_exception('an answer stands behind one question') -}}",
        "{%- endif -%}",
        "{%- generation -%}",
        # a blank: the answer is tokenised as by itself either way
        f"{{{{- {_literal('' if special else ' ')} ~ plain(ns.text) ~ {_literal(end)} -}}}}",
        "{%- endgeneration -%}",
        "{%- else -%}",
        "{{- raise_exception('this model knows user and assistant, not ' ~ message['role']) -}}",
        "{%- endif -%}",
        "{%- endfor -%}",
    ]
    return "\n".join(lines) + "\n"


def _user(before: str, behind: str, begin: str) -> list[str]:
    return [
        "{%- set ns.turns = ns.turns + 1 -%}",
        "{%- if ns.turns > 1 -%}",
        "{{- raise_exception('this model has learnt one question at a time: give each question a conversation of its "
        "own, with its image') -}}",
        "{%- endif -%}",
        "{%- if not ns.views -%}",
        "{{- raise_exception(\"this model has learnt no prompt without an image: give {'type': 'image'} in the "
        'content") -}}',
        "{%- endif -%}",
        "{%- for tag in tasks -%}",
        "{%- if ns.text.startswith(tag) -%}",
        "{%- set ns.tag = tag -%}",
        "{%- set ns.text = ns.text[tag | length:] | trim -%}",
        "{%- elif not tasks[tag]['asks'] and ns.text == tasks[tag]['instruction'] -%}",
        "{%- set ns.tag = tag -%}",
        "{%- endif -%}",
        "{%- endfor -%}",
        "{%- set task = tasks[ns.tag] -%}",
        "{%- if task['asks'] and not ns.text -%}",
        "{{- raise_exception(ns.tag ~ ' needs a question') -}}",
        "{%- endif -%}",
        "{%- if task['asks'] and not (task['lead'] and ns.text.startswith(task['lead'])) -%}",
        f"{{%- set ns.text = task['instruction'] | replace({_literal(QUESTION)}, ns.text) -%}}",
        "{%- elif not ns.text -%}",
        "{%- set ns.text = task['instruction'] -%}",
        "{%- endif -%}",
        "{%- set shown = namespace(text='') -%}",
        "{%- if ns.views | length == 1 -%}",
        f"{{%- set shown.text = {_literal(IMAGE_MARKER)} -%}}",
        "{%- else -%}",
        "{%- for view in ns.views -%}",
        "{%- set shown.text = shown.text ~ (' ' if shown.text else '') ~ (task['several'] | "
        f"replace({_literal(VIEW)}, plain(view | trim) | replace({_literal(INSTRUCTION)}, 'instruction'))) -%}}",
        "{%- endfor -%}",
        "{%- endif -%}",
        f"{{{{- {_literal(begin + before)} -}}}}",
        f"{{{{- task['template'] | replace({_literal(IMAGE_MARKER)}, shown.text) | "
        f"replace({_literal(INSTRUCTION)}, plain(ns.text)) -}}}}",
        f"{{{{- {_literal(behind)} -}}}}",
    ]


def _task(template: PromptTemplate) -> dict[str, object]:
    first = template.pool[0]
    return {
        "template": template.template,
        "several": template.several,
        "instruction": first,
        "asks": template.asks,
        "lead": first.partition(QUESTION)[0].strip() if template.asks else "",
    }


def _literal(value: object) -> str:
    """A value as Jinja writes it, which is as JSON does."""
    return json.dumps(value, ensure_ascii=False)
