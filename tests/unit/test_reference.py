"""The tables of inputs and outputs are those of the .tf files."""

import re

import reference


def test_page_is_current() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `make reference`, and commit docs/inputs.md"


def test_heredoc_with_a_list_is_one_line_per_paragraph_and_item() -> None:
    lines = ["First", "paragraph.", "- `a|b`: one", "  item, 2 * 3 < 7.", "- `c`: two.", "Last."]
    heredoc = "\n    ".join(['"<<-EOT', *lines]) + '\n  EOT"'
    assert reference.cell(reference.text(heredoc)) == (
        r"First paragraph.<br>• `a\|b`: one item, 2 \* 3 \< 7.<br>• `c`: two.<br>Last."
    )


def test_every_attribute_that_a_description_names_is_one_of_its_input() -> None:
    forms = reference.forms()
    for name, attributes in reference.blocks("variables.tf", "variable"):
        named = re.findall(r"^- `(\w+)`:", reference.text(attributes["description"]), re.MULTILINE)
        _, _, form = forms.partition(f"{name} = {{\n")
        form = form.partition("\n}\n")[0]
        assert set(re.findall(r"(\w+) += [^{]", form)) == set(named)


def test_reference_has_every_input_and_output_of_the_module() -> None:
    page = reference.page()
    for name, kind in (("variables.tf", "input"), ("outputs.tf", "output")):
        labels = [
            line.split('"')[1]
            for line in (reference.ROOT / name).read_text().splitlines()
            if line.startswith(("variable ", "output "))
        ]
        assert labels
        rows = [f'| <a id="{kind}_{label}"></a>[`{label}`](#{kind}_{label}) |' for label in labels]
        assert [page.count(row) for row in rows] == [1] * len(labels)
