"""``pefomed rate serve``: serves the rating page, and says in the terminal how far it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ..errors import ConfigError, bullets, one_line
from ..origins import origins_of
from ..provenance import read_record
from ..services.console import quote_words
from ..services.local_names import is_this_machine
from ..services.outbound import PAGE, open_passage
from ..services.rating.plan import SCOPES
from ..services.terminal import lasting_output
from .arguments import add_image_arguments, add_permission, image_roots_of, port_number
from .next_step import again
from .rate_study import pair_words, read_rated, scope_of, study_folder


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the page; what is rated and in which order are ``rate``'s."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder that keeps the ratings (default: ratings beside PREDICTIONS; with --against, preferences)",
    )
    add_image_arguments(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1, this machine alone; 0.0.0.0: every machine that reaches it). "
        "The printed link is the key that every rater needs",
    )
    parser.add_argument(
        "--port", type=port_number, default=8765, metavar="N", help="port (default 8765); 0: any free one"
    )
    add_permission(parser, "other machines may read a data set that is not public: every rater may see it")


def serve_page(arguments: argparse.Namespace) -> int:
    """As ``_serve_page``; it goes on where nobody reads what is printed."""
    with lasting_output():
        return _serve_page(arguments)


def _serve_page(arguments: argparse.Namespace) -> int:
    """Begin a study or go on with one, serve its page until Ctrl-C, say how to go on."""
    from ..reporting.page.assets import ASSETS  # late: loads PIL
    from ..services.rating.folder import begin_plan  # late: loads sqlite3
    from ..services.rating.session import RatingSession  # late: loads PIL
    from ..services.rating.store import STORE, RatingStore  # late: loads sqlite3

    rated = read_rated(arguments)
    predictions, rubric = rated.predictions, rated.rubric
    server_module = _load_server()
    passage = open_passage(
        PAGE,
        f"every machine that reaches --host {arguments.host}",
        {prediction.dataset for prediction in predictions},
        is_local=is_this_machine(arguments.host),
        origins=origins_of(predictions).data,
    )
    record = None if arguments.no_images else read_record(arguments.predictions.parent)
    roots = image_roots_of(arguments, {prediction.dataset for prediction in predictions}, record)
    folder = study_folder(arguments)
    plan = begin_plan(
        folder,
        predictions,
        rubric,
        arguments.seed,
        *scope_of(arguments),
        new_round=arguments.new_round,
        **rated.pairing,
    )
    total = len(plan.ids_of(plan.round))
    with RatingStore(folder / STORE, rubric) as store:
        session = RatingSession(plan, predictions, store, roots)
        with server_module.RatingServer(session, ASSETS, arguments.host, arguments.port, passage) as server:
            which = f", round {plan.round}" if plan.round > 1 else ""
            print(f"{total:,} of {len(predictions):,} answers to rate{which} ({SCOPES[plan.scope]})")
            rated.say()
            _say_progress("rated so far:", store.counts(plan.round), total)
            _say_missing(session.no_image)
            try:
                _say_address(server.url, server.operator_url, arguments.host)
                server.serve_forever()
            except KeyboardInterrupt:
                pass
        _say_how_to_go_on(arguments, folder, store.counts(plan.round), total)
    return 0


def _load_server() -> ModuleType:
    """The server's module. Raises ConfigError where its packages are missing, before anything is written."""
    try:
        from ..services.rating import server  # late: optional
    except ImportError as error:
        raise ConfigError(
            f"the rating page needs starlette and uvicorn ({one_line(error)}): pip install starlette uvicorn; without "
            "them, pefomed rate export writes sheets"
        ) from error
    return server


def _say_progress(title: str, counts: Mapping[str, int], total: int) -> None:
    if counts:
        print(title)
    for rater, count in counts.items():
        print(f"  {rater:<20} {count:,} of {total:,}")


def _say_missing(problems: Mapping[str, str]) -> None:
    if problems:
        print(f"{len(problems):,} answer(s) without an image; the page says so in its place:")
        print("\n".join(bullets(list(problems.values()))))


def _say_address(url: str, operator_url: str, host: str) -> None:
    print(f"\nopen   {url}\n")
    print("The whole link is the key: whoever has it may rate. It is another one after each start.")
    print(f"\nfor you, who has rated how many (no verdicts)   {operator_url}\n")
    if not is_this_machine(host):
        print("Nothing is encrypted: use it only in a network you trust.")
    print("Ctrl-C stops; ratings are saved as they are given.", flush=True)


def _say_how_to_go_on(arguments: argparse.Namespace, folder: Path, counts: Mapping[str, int], total: int) -> None:
    from ..services.rating.store import STORE  # late: loads sqlite3

    print(f"\nstopped; all ratings are in {folder / STORE}")
    _say_progress("rated so far:", counts, total)
    words = [folder, arguments.predictions, *pair_words(arguments)]
    print(f"go on:    {again(arguments, without=['--new-round']).line}")
    if counts:
        missing = ["--allow-missing"] if min(counts.values()) < total else []
        print(f"figures:  {quote_words(['pefomed', 'rate', 'import', *words, *missing])}")
        print(f"sheets:   {quote_words(['pefomed', 'rate', 'sheets', *words])}")
