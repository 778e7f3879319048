# The rules for findings that should not be reported. The reporter reads them from the table: a function's environment
# is too small for them, and a resource for each would fill the plan.

locals {
  # Without attributes that are null, so that a rule has one form no matter how it is written.
  ignored_findings = [for rule in var.ignored_findings : { for name, value in rule : name => value if value != null }]

  # DynamoDB allows 400 KB for an item, and the module 2,000 bytes for a rule.
  ignored_findings_chunks = chunklist(local.ignored_findings, 180)

  # The rules whose date has passed, or will within 14 days, keyed by what a message calls them.
  ignored_findings_ending = { for index, rule in local.ignored_findings :
    "ignored_findings[${index}] (${try(rule.id, rule.package)})" => rule.expires
    if can(rule.expires) && try(timecmp("${rule.expires}T00:00:00Z", timeadd(plantimestamp(), "336h")) <= 0, false)
  }
}

resource "aws_dynamodb_table_item" "ignored_findings" {
  count = length(local.ignored_findings_chunks)

  table_name = aws_dynamodb_table.memory.name
  hash_key   = aws_dynamodb_table.memory.hash_key
  range_key  = aws_dynamodb_table.memory.range_key

  item = jsonencode({
    pk    = { S = "IGNORED" }
    sk    = { S = tostring(count.index) }
    rules = { S = jsonencode(local.ignored_findings_chunks[count.index]) }
  })

  # A replaced table is empty but has the old name, so nothing else tells Terraform that the rules are gone. The ARN is
  # unknown only when the table is replaced. With the whole resource as the trigger, each change of a tag would write
  # the rules again.
  lifecycle {
    replace_triggered_by = [aws_dynamodb_table.memory.arn]
  }
}

# Only a warning: an apply should not fail just because time has passed.
check "ignored_findings" {
  assert {
    condition = length(local.ignored_findings_ending) == 0
    error_message = join("\n", [for rule, expires in local.ignored_findings_ending :
      timecmp("${expires}T00:00:00Z", plantimestamp()) <= 0
      ? "${rule} ended on ${expires}: its findings are reported again. Remove the rule, or set a later date."
      : "${rule} ends on ${expires}: after that, its findings are reported again."
    ])
  }
}
