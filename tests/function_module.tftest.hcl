# modules/function on its own: what all functions have in common.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "repositories-scanner"
  description = "Lists repositories."
  handler     = "ecr_scan_reporter.repositories_scanner.handler"
  memory_size = 512
  timeout     = 120

  common = {
    filename              = "dist/ecr_scan_reporter.zip"
    environment_variables = { AWS_ENDPOINT_URL_ECR = "http://ecr:5000" }
    log_retention_days    = 7
    permissions_boundary  = "arn:aws:iam::123456789012:policy/boundary"
    logs_arn_prefix       = "arn:aws:logs:eu-central-1:123456789012"
    tags                  = { team = "security" }
  }

  environment_variables = { IMAGES_QUEUE_URL = "https://queue.example" }
}

run "function" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = (
      aws_lambda_function.this.runtime == "python3.13" &&
      aws_lambda_function.this.handler == var.handler &&
      aws_lambda_function.this.filename == var.common.filename &&
      aws_lambda_function.this.source_code_hash == filebase64sha256(var.common.filename)
    )
    error_message = "The function should run the package and change with it."
  }

  assert {
    condition = (
      aws_lambda_function.this.memory_size == 512 &&
      aws_lambda_function.this.timeout == 120 &&
      aws_lambda_function.this.reserved_concurrent_executions == -1 &&
      aws_lambda_function.this.environment[0].variables == tomap({
        IMAGES_QUEUE_URL = "https://queue.example", AWS_ENDPOINT_URL_ECR = "http://ecr:5000"
      })
    )
    error_message = "Memory, timeout and environment should be the given ones, without reserved concurrency."
  }

  assert {
    condition = (
      aws_lambda_function.this.logging_config[0].log_format == "JSON" &&
      aws_lambda_function.this.logging_config[0].application_log_level == "INFO" &&
      aws_lambda_function.this.logging_config[0].system_log_level == "WARN" &&
      aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/repositories-scanner" &&
      aws_cloudwatch_log_group.this.name == "/aws/lambda/repositories-scanner" &&
      aws_cloudwatch_log_group.this.retention_in_days == 7
    )
    error_message = "The function should log JSON to its own log group."
  }

  assert {
    condition = (
      aws_iam_role.this.name == "repositories-scanner" &&
      aws_iam_role.this.permissions_boundary == var.common.permissions_boundary &&
      jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
        Sid       = "RunAsLambdaFunction", Effect = "Allow", Action = "sts:AssumeRole"
        Principal = { Service = "lambda.amazonaws.com" }
      }]
    )
    error_message = "The role should be named like the function, have the boundary, and trust Lambda only."
  }

  assert {
    condition = alltrue([for resource in [aws_lambda_function.this, aws_iam_role.this, aws_cloudwatch_log_group.this] :
      resource.tags == tomap({ team = "security" })
    ])
    error_message = "Function, role and log group should be tagged."
  }
}

run "reserved_concurrency" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    reserved_concurrency = 1
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1
    error_message = "Concurrency should be reserved if it is set."
  }
}

run "without_permissions_of_its_own" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [{
      Sid      = "WriteLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/repositories-scanner:*"]
    }]
    error_message = "A function should be allowed to write its own log and nothing else."
  }
}

run "others_may_add_policies" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition     = length(aws_iam_role_policies_exclusive.this) == 0 && length(aws_iam_role_policy_attachments_exclusive.this) == 0
    error_message = "By default, others may add policies to the role."
  }
}

run "exclusive_policies" {
  module {
    source = "./modules/function"
  }

  variables {
    common = {
      filename           = "dist/ecr_scan_reporter.zip"
      log_retention_days = 7
      logs_arn_prefix    = "arn:aws:logs:eu-central-1:123456789012"
      exclusive_policies = true
    }
  }

  assert {
    condition = (
      aws_iam_role_policies_exclusive.this[0].role_name == aws_iam_role.this.id &&
      aws_iam_role_policies_exclusive.this[0].policy_names == toset([aws_iam_role_policy.this.name]) &&
      aws_iam_role_policy_attachments_exclusive.this[0].role_name == aws_iam_role.this.id &&
      length(aws_iam_role_policy_attachments_exclusive.this[0].policy_arns) == 0
    )
    error_message = "The role should have its own policy, and no other."
  }
}
