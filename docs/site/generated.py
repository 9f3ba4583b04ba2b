"""The pages that are not written by hand: of the command line, of the study file, and the notebook as a page.

They are made while the site is built (see ``hooks.py``) and are not committed.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

PAGES = ("reference/command-line.md", "reference/study-file.md", "tutorials/notebook.md")
"""Where they stand in the site; :func:`page` makes each."""
NOTEBOOK = Path(__file__).parents[1] / "tutorials/notebook.ipynb"
_SHARED = "Everywhere"


def page(name: str) -> str:
    """The Markdown of one of :data:`PAGES`."""
    makers = (command_line, study_file, notebook)
    return dict(zip(PAGES, makers, strict=True))[name]()


def notebook() -> str:
    """The notebook's cells, one below the other."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for kind, text in texts) + "\n"


def command_line() -> str:
    """Every command with its arguments and options."""
    from asc_experiments.cli.main import app

    root = typer.main.get_command(app)
    commands = list(_commands(root, "asc"))
    shared = {each.name: each for _, command in commands for each in command.params if _panel(each) == _SHARED}
    lines = [
        "# Command line",
        "",
        "This page is generated from the program. Bad input is one line on standard error, naming the file and what to "
        "do, with exit code 2, and leaves no run or trial behind.",
        "",
        "## Options of every command { #everywhere }",
        "",
        f"Every command takes these, but for {', '.join(_without(commands))}.",
        "",
        *_options(list(shared.values())),
        "",
    ]
    for path, command in commands:
        lines += [f"{'#' * (2 if path.count(' ') < 2 else 3)} {path}", "", *_command(path, command), ""]
    return "\n".join(lines)


def _without(commands: list[tuple[str, Any]]) -> list[str]:
    """The commands that do something and do not take the shared options."""
    leaves = [(path, each) for path, each in commands if path != "asc" and _does_something(path, each)]
    return [f"`{path}`" for path, each in leaves if all(_panel(option) != _SHARED for option in each.params)]


def _does_something(path: str, command: Any) -> bool:
    return not getattr(command, "commands", {}) or getattr(command, "invoke_without_command", False)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


def _command(path: str, command: Any) -> list[str]:
    lines = [_prose(command.help or "")]
    inner = getattr(command, "commands", {})
    if inner:
        lines += ["", "| command | does |", "|---|---|"]
        for name, each in inner.items():
            first = (each.help or "").strip().split("\n\n")[0]
            lines.append(f"| [`{path} {name}`](#{_slug(f'{path} {name}')}) | {_cell(first)} |")
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and _panel(each) != _SHARED]
    if arguments:
        lines += ["", "| argument | is |", "|---|---|"]
        lines += [f"| `{each.metavar or each.name.upper()}` | {_cell(_explained(each))} |" for each in arguments]
    for panel in dict.fromkeys(_panel(each) for each in options):
        lines += ["", *([f"{panel}:", ""] if panel else []), *_options([o for o in options if _panel(o) == panel])]
    example = (command.epilog or "").removeprefix("Example: ")
    return lines + (["", "```", example, "```"] if example else [])


def _options(options: list[Any]) -> list[str]:
    lines = ["| option | is |", "|---|---|"]
    for each in options:
        names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
        value = "" if each.is_flag else f" `{each.metavar or _kind(each)}`"
        lines.append(f"| {names}{value} | {_cell(_explained(each))} |")
    return lines


def _explained(parameter: Any) -> str:
    """A parameter's help, its default and the environment variable that it may be given by."""
    text = parameter.help or ""
    known = parameter.default not in (None, (), "") and parameter.default is not False
    if parameter.required:
        text += " Required." if parameter.param_type_name == "option" else ""
    elif known and parameter.show_default and "default:" not in text:
        text += f" Default: `{getattr(parameter.default, 'value', parameter.default)}`."
    return text + (f" Environment: `{parameter.envvar}`." if parameter.envvar else "")


def _kind(parameter: Any) -> str:
    """What an option takes, such as ``INT`` or ``table|csv|jsonl``."""
    annotation = parameter.type_descriptor.annotation
    choices = getattr(annotation, "__members__", None)
    if choices:
        return "|".join(str(choice.value) for choice in choices.values())
    return str(getattr(annotation, "__name__", annotation)).upper()


def _panel(parameter: Any) -> str:
    return str(getattr(parameter, "rich_help_panel", None) or "")


def study_file() -> str:
    """Every setting of a study file: type, bounds, default, description."""
    from asc_experiments.study.definition.study_file import StudyFile
    from asc_experiments.training import LOSSES, make_recipe

    lines = [
        "# Study file",
        "",
        "This page is generated from the classes that read a study file. An unknown key, a wrong type or a value "
        "beyond its bounds is refused with one line that names the key and the nearest valid one. "
        "[Write a study file](../how-to/write-a-study-file.md) explains what the keys are for.",
        "",
        "## The top level { #top }",
        "",
        *_settings(StudyFile),
        "",
    ]
    for model, keys in _nested(StudyFile).items():
        if _is_range(model):
            lines += ["## A range { #range }", "", "A number that is searched for, such as `{low: 1, high: 4}`.", ""]
        else:
            lines += [f"## {' and '.join(keys)} {{ #{keys[0]} }}", ""]
        lines += [*_settings(model), ""]
    lines += [
        "## Settings of a loss { #loss }",
        "",
        f"What `distillation` takes besides `loss` (`{'` or `'.join(LOSSES)}`, the first by default), and `--set` of "
        "`asc student train`. In a study file each may be a value, a choice or a [range](#range). Installed packages "
        "may [bring more](../how-to/add-a-loss.md).",
        "",
    ]
    for name, kind in LOSSES.items():
        lines += [f"### {name} {{ #loss-{name} }}", "", *_settings(kind), ""]
    lines += [
        "## Settings of a network { #recipe }",
        "",
        "What `ensemble.pool`, `ensemble.common` and `student` take, and `--set` of `asc teacher train` and "
        "`asc student train`. In a study file each may be a value, a choice or a [range](#range).",
        "",
    ]
    archs = {
        "CP-Mobile": "cp_mobile", "CP-Mobile of 2024": "cp_mobile_2024", "CP-ResNet": "cp_resnet", "PaSST": "passt",
    }  # fmt: skip
    recipes = {title: make_recipe(arch) for title, arch in archs.items()}
    for title, each in recipes.items():
        lines += [f"### Size of {title} {{ #{archs[title]} }}", "", *_settings(type(each.network)), ""]
    lines += [
        "For PaSST, `size` (`s`, `xs` or `xxs`) stands for `embed_dim`, `depth` and `num_heads`.",
        "",
        f"Where the next tables give four defaults, they are those of {', '.join(recipes)}, in this order.",
        "",
    ]
    for group in ("augmentation", "optimisation"):
        parts = [getattr(each, group) for each in recipes.values()]
        defaults = [part.model_dump() for part in parts]
        lines += [f"### {group.capitalize()}", "", *_settings(type(parts[0]), defaults), ""]
    methods = {title: make_recipe(arch, "dirfms").augmentation for title, arch in archs.items()}
    published = [f"{title}: DIR {each.dir_probability}, FMS {each.fms_probability}" for title, each in methods.items()]
    lines += [
        "`augment` sets both probabilities: `none`, `dir`, `fms` or `dirfms`, with the published values "
        f"({'; '.join(published)}). With other `epochs`, the schedule is stretched unless its settings are given too. "
        "`seed` is a whole number, 0 by default.",
        "",
    ]
    return "\n".join(lines)


def _nested(model: type[BaseModel]) -> dict[type[BaseModel], list[str]]:
    """Every group of settings within another one, with the keys that it stands under."""
    found: dict[type[BaseModel], list[str]] = {}
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            found.setdefault(inner, []).append(name)
            for deeper in _nested(inner):
                found.setdefault(deeper, []).append(name)
    return dict(sorted(found.items(), key=lambda each: _is_range(each[0])))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_range(annotation: Any) -> bool:
    """Whether it is the group of settings that stands for a searched range."""
    return {"low", "high"} <= set(getattr(annotation, "model_fields", ()))


def _settings(model: type[BaseModel], defaults: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    described = _attributes(model)
    lines = ["| key | type | default | is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        values = [_value(each[name]) for each in defaults]
        default = ", ".join(values[:1] if len(set(values)) == 1 else values) or _default(field)
        lines.append(f"| `{name}` | {_type(field)} | {default} | {_cell(described.get(name, ''))} |")
    return lines


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What a class's docstring says of its attributes."""
    section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section):
        names, colon, text = entry.strip().partition(":")
        if colon:
            found |= {name.strip(): " ".join(text.split()).replace("``", "`") for name in names.split(",")}
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined else _value(value)


def _value(value: Any) -> str:
    if isinstance(value, BaseModel):
        changed = {name: each for name, each in value.model_dump().items() if each not in ((), None, "")}
        return "`{" + ", ".join(f"{name}: {each}" for name, each in changed.items()) + "}`"
    if value is None or value in ("", (), {}, []):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(field: FieldInfo) -> str:
    bounds = [text for each in field.metadata if (text := _bound(each))]
    return ", ".join([_annotation(field.annotation), *bounds])


def _bound(constraint: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
    for name, sign in signs.items():
        if (limit := getattr(constraint, name, None)) is not None:
            return f"{sign} {limit:,}" if isinstance(limit, int) else f"{sign} {limit:g}"
    if (pattern := getattr(constraint, "pattern", None)) is not None:
        return f"matches `{pattern}`"
    return ""


def _annotation(annotation: Any) -> str:
    """A type in words."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "settings"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotation(inner[0])
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (Union, types.UnionType):
        members = [each for each in inner if each is not type(None)]
        if any(_is_range(_bare(each)) for each in members):
            return "value, choice or [range](#range)"
        if set(members) == {bool, int, float, str}:
            return "value"
        return " or ".join(dict.fromkeys(map(_annotation, members)))
    if origin is tuple:
        return f"list of {_annotation(inner[0])}"
    if origin is dict:
        return f"mapping to {_annotation(inner[1])}"
    words = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
    return words.get(annotation, str(getattr(annotation, "__name__", annotation)))


def _bare(annotation: Any) -> Any:
    """A type without what it is annotated with."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _prose(text: str) -> str:
    """Help as Markdown: what could be markup is not."""
    return "\n\n".join(" ".join(part.split()) for part in _escaped(text).strip().split("\n\n"))


def _cell(text: str) -> str:
    """Text for a cell of a table; code in backquotes stays code."""
    return " ".join(_escaped(text).split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    parts = text.split("`")
    outside = [re.sub(r"([*_<\[\]{}])", r"\\\1", part).replace("\\<", "&lt;") for part in parts[::2]]
    inside = parts[1::2]
    mixed = [part for pair in zip(outside, [*inside, ""], strict=False) for part in pair]
    return "`".join(mixed[: len(parts)])


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\s-]", "", heading.lower()).replace(" ", "-")
