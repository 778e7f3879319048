# The rules for findings that are not to be reported. The reporter reads them from the table, so that neither a function's
# environment bounds them nor a plan has a resource for each.

locals {
  # Without attributes that are null, so that a rule has one form however it is written.
  ignored_findings = [for rule in var.ignored_findings : { for name, value in rule : name => value if value != null }]

  # DynamoDB's limit is 400 KB for an item, and that of a rule is 2,000 bytes.
  ignored_findings_chunks = chunklist(local.ignored_findings, 180)

  # The rules with a date that has passed, or will within 14 days, by what a message calls them.
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
}

# A warning only: an apply must not fail because time has passed.
check "ignored_findings" {
  assert {
    condition = length(local.ignored_findings_ending) == 0
    error_message = join("\n", [for rule, expires in local.ignored_findings_ending :
      timecmp("${expires}T00:00:00Z", plantimestamp()) <= 0
      ? "${rule} ended on ${expires}: its findings are reported. Remove the rule, or set a later date."
      : "${rule} ends on ${expires}: then its findings are reported."
    ])
  }
}
