# Checks that a replaced table gets the rules for ignored findings again: it is empty. What a mocked provider computes is a new
# value only for a new item.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  ignored_findings = [{ id = "CVE-2026-1234", reason = "Not called.", owner = "team-a", until_fixed = true }]
}

run "table_with_rules" {
  override_resource {
    target = aws_dynamodb_table_item.ignored_findings
    values = { id = "old item" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].id == "old item"
    error_message = "The rules should be written."
  }
}

run "changed_table" {
  variables {
    tags = { team = "platform" }
  }

  override_resource {
    target = aws_dynamodb_table_item.ignored_findings
    values = { id = "new item" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].id == "old item"
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
    target = aws_dynamodb_table_item.ignored_findings
    values = { id = "new item" }
  }

  assert {
    condition     = aws_dynamodb_table_item.ignored_findings[0].id == "new item"
    error_message = "A replaced table should get the rules with the same apply."
  }
}
