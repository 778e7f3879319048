# One Lambda function with all that it needs: its log group, its role, its permissions.

locals {
  # The newest Python runtime that every allowed provider version accepts: 5.100 refuses python3.14.
  runtime = "python3.13"

  permissions = merge(
    {
      WriteOwnLog = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
      }
    },
    var.permissions,
  )
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Execution role of the Lambda function ${var.name}."
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RunAsLambdaFunction"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = var.name
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for sid, permission in local.permissions : {
      Sid      = sid
      Effect   = "Allow"
      Action   = permission.actions
      Resource = permission.resources
    }]
  })
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = local.runtime
  handler                        = var.handler
  filename                       = var.filename
  source_code_hash               = filebase64sha256(var.filename)
  memory_size                    = var.memory
  timeout                        = var.timeout
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  tags                           = var.tags

  environment {
    variables = var.environment_variables
  }

  # Of Lambda's own lines only failures: START and REPORT of each invocation are metrics already.
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  # The policy: without it the first invocations, and an event source mapping that is made right after the function,
  # race with the permissions. The log group needs no mention: logging_config names it, so it exists before the
  # function could write to it, and it is destroyed after the function.
  depends_on = [aws_iam_role_policy.this]
}
