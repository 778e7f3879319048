# Internal to this repository: one Lambda function with its log group, its role and its permissions.

locals {
  # The newest Python runtime that all supported provider versions accept: 5.100 rejects python3.14.
  runtime = "python3.13"

  # What every function needs, keyed by Sid.
  common_policy_statements = {
    WriteLogs = {
      needed    = true
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${var.common.logs_arn_prefix}:log-group:${aws_cloudwatch_log_group.this.name}:*"]
    }
    # The environment variables, and everything that the function reads and the same key encrypts.
    DecryptWithKey = {
      needed    = var.common.kms_key_arn != null
      actions   = ["kms:Decrypt"]
      resources = [var.common.kms_key_arn]
    }
    # X-Ray has no resources to name.
    WriteTraces = {
      needed    = var.common.tracing
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
    # Lambda uses the function's role to create and remove network interfaces, whose ARNs are not known in advance.
    UseNetwork = {
      needed    = var.common.vpc_config != null
      actions   = local.network_actions
      resources = ["*"]
    }
  }

  network_actions = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]

  # Lambda needs these permissions, but the function's own code does not. Requests of the code carry the function's ARN.
  denials = var.common.vpc_config == null ? [] : [{
    Sid       = "DenyNetworkToCode"
    Effect    = "Deny"
    Action    = local.network_actions
    Resource  = ["*"]
    Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:*:lambda:*:*:function:${var.name}" } }
  }]

  policy_statements = merge(
    { for sid, statement in local.common_policy_statements : sid => {
      actions = statement.actions, resources = statement.resources, condition = null
    } if statement.needed },
    var.policy_statements,
  )
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.common.log_retention_days
  kms_key_id        = var.common.kms_key_arn
  tags              = var.common.tags
}

# Terraform prints this resource's first line below the error.
resource "aws_iam_role" "this" { # if it already exists, an instance in another Region has this name: set another `name`
  name                 = var.name
  path                 = var.common.role_path
  description          = "Execution role of the Lambda function ${var.name}."
  permissions_boundary = var.common.permissions_boundary
  tags                 = var.common.tags

  # No aws:SourceArn: Lambda documents none for this call. IAM lets principals pass a role only to functions of their
  # own account, so no other account can have Lambda assume it.
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
  role = aws_iam_role.this.id # unknown, unlike the name, when the role is replaced: then the policy is gone with it

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for sid, statement in local.policy_statements : merge(
        {
          Sid      = sid
          Effect   = "Allow"
          Action   = statement.actions
          Resource = statement.resources
        },
        { for name, value in { Condition = statement.condition } : name => value if value != null },
      )],
      local.denials,
    )
  })
}

# Without these, a plan does not see what someone else adds to the role.
resource "aws_iam_role_policies_exclusive" "this" {
  count = var.common.exclusive_policies ? 1 : 0

  role_name    = aws_iam_role.this.id
  policy_names = [aws_iam_role_policy.this.name]
}

resource "aws_iam_role_policy_attachments_exclusive" "this" {
  count = var.common.exclusive_policies ? 1 : 0

  role_name   = aws_iam_role.this.id
  policy_arns = []
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:Two functions consume a queue with a DLQ. The others have no queue; their errors trigger an alarm.
  #checkov:skip=CKV_AWS_272:AWS Signer signs packages in S3. This one is in the repository, and anyone can rebuild it to the byte.
  function_name                  = var.name
  description                    = var.description
  role                           = aws_iam_role.this.arn
  runtime                        = local.runtime
  architectures                  = [var.common.architecture]
  handler                        = var.handler
  filename                       = var.common.filename
  source_code_hash               = filebase64sha256(var.common.filename)
  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.common.kms_key_arn
  tags                           = var.common.tags

  environment {
    variables = merge(var.common.environment_variables, var.environment_variables)
  }

  # PassThrough is Lambda's default: it records no traces of its own.
  tracing_config {
    mode = var.common.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.common.vpc_config[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Lambda's own log lines are limited to failures: what START and REPORT say about each invocation is in the metrics.
  logging_config {
    log_format            = "JSON"
    application_log_level = var.common.log_level
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  # Otherwise Lambda could invoke the function, or reject an event source mapping, before the function has its
  # permissions. The log group needs no entry here: logging_config refers to it, so Terraform creates it before the
  # function and destroys it after the function.
  depends_on = [aws_iam_role_policy.this]
}
