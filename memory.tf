# The memory: one table with what the module remembers about each image, so that it reports what changed, once. Losing
# it loses no scan and costs one inventory report.

# It comes before everything else: DynamoDB refuses a name that exists, whereas a rule, a queue or a topic of the same
# name would be taken over. So a second instance of the same name fails here, before it changes anything of the first
# one. Terraform prints this resource's first line below the error.
resource "aws_dynamodb_table" "memory" { # if it already exists, another instance has this name: set another `name`
  name                        = local.names.memory
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.memory_deletion_protection
  tags                        = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # False means a key that AWS owns, free of charge. True without a key would mean the AWS managed key, whose calls KMS
  # bills.
  server_side_encryption {
    enabled     = var.kms_key_arn == null ? false : true # checkov cannot evaluate "!="
    kms_key_arn = var.kms_key_arn
  }

  # Here because the table always exists; without rules, there is no item.
  lifecycle {
    precondition {
      condition     = length(local.ignored_findings_problems) == 0
      error_message = join("\n", local.ignored_findings_problems)
    }
  }
}
