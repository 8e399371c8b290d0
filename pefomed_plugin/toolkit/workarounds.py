"""Defects of a MiniGPT-4 checkout (d94738a) that the plugin steps around, one function each, file and line cited."""


def register_everything() -> None:
    """``minigpt4/models/__init__.py`` and others fill the registry only when imported; its ``train.py`` does that."""
    import minigpt4.common.optims
    import minigpt4.models
    import minigpt4.processors
    import minigpt4.runners
    import minigpt4.tasks  # noqa: F401


def keep_output_paths_changeable() -> None:
    """``common/registry.py:194`` refuses a path name that is already registered, so a process can run only once."""
    from minigpt4.common.registry import Registry

    def register_path(cls: type, name: str, path: str) -> None:
        Registry.mapping["paths"][name] = str(path)

    Registry.register_path = classmethod(register_path)


def apply_workarounds() -> None:
    """All of them, in order; safe to call again."""
    register_everything()
    keep_output_paths_changeable()
