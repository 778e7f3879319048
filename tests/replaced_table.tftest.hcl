# Checks that the rules for ignored findings follow a replaced table, which is empty: they refer to its ID, which a mocked
# provider computes only for a new table. tests/integration/test_replacements.py replaces a table for real.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  ignored_findings = [{ id = "CVE-2026-1234", reason = "Not called.", owner = "team-a", until_fixed = true }]
}

run "table_with_rules" {
  override_resource {
    target = aws_dynamodb_table.memory
    values = { id = "old table" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].table_name == "old table"
    error_message = "The rules should be written."
  }
}

run "changed_table" {
  variables {
    tags = { team = "platform" }
  }

  override_resource {
    target = aws_dynamodb_table.memory
    values = { id = "new table" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].table_name == "old table"
    error_message = "The rules should not be deleted and written again when the table only gets a tag."
  }
}

run "replaced_table" {
  variables {
    tags = { team = "platform" }
  }

  plan_options {
    replace = [aws_dynamodb_table.memory]
  }

  override_resource {
    target = aws_dynamodb_table.memory
    values = { id = "new table" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].table_name == "new table"
    error_message = "A replaced table should get the rules with the same apply."
  }
}
