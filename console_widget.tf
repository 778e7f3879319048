# The function behind a custom widget of the CloudWatch dashboard: it shows the state of the registry from the memory.
#
# The console invokes it with the permissions of whoever looks at the dashboard, and they may invoke it with any event.
# So it is a separate function, whose role can only read the table.

module "console_widget" {
  source = "./modules/function"
  count  = var.dashboard_widget ? 1 : 0

  name        = local.names.console_widget
  description = "Shows the state of the ECR registry in a custom widget of a CloudWatch dashboard."
  handler     = "ecr_scan_reporter.console_widget.handler"
  common      = local.function_settings
  # More than half of a vCPU: someone is waiting while 10,000 repositories are added up.
  memory_size = 1024
  timeout     = 30

  environment_variables = {
    ECR_IMAGES_DURATION_DELTA = var.images_duration_delta
    MEMORY_TABLE_NAME         = aws_dynamodb_table.memory.name
    REPORTER_NAME             = var.name
  }

  policy_statements = {
    ReadMemory = {
      actions   = ["dynamodb:GetItem", "dynamodb:Query"]
      resources = [local.arns.memory]
    }
  }

  depends_on = [aws_dynamodb_table.memory]
}
