"""The tables of inputs and outputs are those of the .tf files."""

import reference


def test_page_is_current() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `make reference`, and commit docs/inputs.md"


def test_heredoc_with_a_list_is_one_line_per_paragraph_and_item() -> None:
    lines = ["First", "paragraph.", "- `a|b`: one", "  item, 2 * 3 < 7.", "- `c`: two.", "Last."]
    heredoc = "\n    ".join(['"<<-EOT', *lines]) + '\n  EOT"'
    assert reference.cell(reference.text(heredoc)) == (
        r"First paragraph.<br>• `a\|b`: one item, 2 \* 3 \< 7.<br>• `c`: two.<br>Last."
    )


def test_type_of_an_object_has_one_line_per_attribute() -> None:
    type_ = "map(object({a = optional(number, 1), b = optional(object({c = string}), {})}))"
    assert reference.short_type(type_) == "map(object)"
    assert reference.indented(type_).split("\n") == [
        "map(object({",
        "  a = optional(number, 1)",
        "  b = optional(object({",
        "    c = string",
        "  }), {})",
        "}))",
    ]


def test_reference_has_every_input_and_output_of_the_module() -> None:
    page = reference.page()
    for name in ("variables.tf", "outputs.tf"):
        labels = [
            line.split('"')[1]
            for line in (reference.ROOT / name).read_text().splitlines()
            if line.startswith(("variable ", "output "))
        ]
        assert labels
        assert [label for label in labels if f"| `{label}` |" not in page] == []
