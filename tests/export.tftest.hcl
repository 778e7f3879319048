# Checks export_bucket: what the functions then know, and what their roles may do.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "scan"
}

run "none" {
  command = plan

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.reporter] :
      !strcontains(function.policy.policy, ":s3:") && !strcontains(function.policy.policy, "RequestExport")
    ])
    error_message = "Without a bucket, nothing should be exported."
  }
}

run "bucket" {
  override_resource {
    target = module.reports_queue.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:eu-central-1:123456789012:scan-reports", url = "https://sqs/123456789012/scan-reports" }
  }

  variables {
    export_bucket = "security-reports"
  }

  assert {
    condition = jsondecode(module.reporter.function.environment[0].variables["EXPORT"]) == {
      bucket = "security-reports", owner = "123456789012", prefix = "ecr-scan-reporter/", kms_key_arn = ""
    }
    error_message = "The reporter should know the bucket, and whose it is."
  }

  assert {
    condition     = module.repositories_scanner.function.environment[0].variables["EXPORT_QUEUE_URL"] == "https://sqs/123456789012/scan-reports"
    error_message = "The repositories scanner should know where to ask for an export."
  }

  assert {
    condition = { for statement in concat(
      jsondecode(module.reporter.policy.policy).Statement, jsondecode(module.repositories_scanner.policy.policy).Statement,
      ) : statement.Sid => "${join(",", statement.Action)} ${join(",", statement.Resource)}"
      if strcontains(statement.Sid, "Export")
      } == {
      RequestExport = "sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      WriteExport   = "s3:PutObject,s3:AbortMultipartUpload arn:aws:s3:::security-reports/ecr-scan-reporter/*"
    }
    error_message = "The reporter should write below the prefix alone, and use no key."
  }
}

run "another_account_and_a_key" {
  command = plan

  variables {
    export_bucket       = "security-reports"
    export_bucket_owner = "210987654321"
    export_prefix       = "security/ecr/"
    export_kms_key_arn  = "arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition = { for statement in jsondecode(module.reporter.policy.policy).Statement :
      statement.Sid => "${join(",", statement.Action)} ${join(",", statement.Resource)}" if strcontains(statement.Sid, "Export")
      } == {
      WriteExport   = "s3:PutObject,s3:AbortMultipartUpload arn:aws:s3:::security-reports/security/ecr/*"
      EncryptExport = "kms:GenerateDataKey,kms:Decrypt arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
    error_message = "The reporter should use the key."
  }
}

run "everything" {
  command = plan

  variables {
    export_prefix = ""
    export_bucket = "a.b-c"
  }

  assert {
    condition     = strcontains(module.reporter.policy.policy, "\"arn:aws:s3:::a.b-c/*\"")
    error_message = "The prefix may be empty."
  }
}

run "invalid" {
  command = plan

  variables {
    export_bucket       = "s3://Reports"
    export_prefix       = "/*"
    export_bucket_owner = "1234"
    export_kms_key_arn  = "alias/reports"
  }

  expect_failures = [var.export_bucket, var.export_prefix, var.export_bucket_owner, var.export_kms_key_arn]
}

run "folder_without_end" {
  command = plan

  variables {
    export_prefix = "security"
  }

  expect_failures = [var.export_prefix]
}
