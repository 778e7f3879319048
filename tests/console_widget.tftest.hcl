# The function of the dashboard's custom widget: only when asked for, and able to read the table only.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "none_by_default" {
  command = plan

  assert {
    condition     = length(module.console_widget) == 0 && output.console_widget_function_arn == null && output.console_widget_function_name == null
    error_message = "There should be no console widget by default."
  }
}

run "function" {
  variables {
    name                  = "scan"
    dashboard_widget      = true
    images_duration_delta = "1m2w"
    environment_variables = { AWS_ENDPOINT_URL_DYNAMODB = "http://dynamodb:8000" }
    log_retention_days    = 7
    permissions_boundary  = "arn:aws:iam::123456789012:policy/boundary"
    tags                  = { team = "platform" }
  }

  override_resource {
    target = module.console_widget[0].aws_lambda_function.this
    values = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:console-widget" }
  }

  assert {
    condition = { for statement in jsondecode(module.console_widget[0].policy.policy).Statement :
      statement.Sid => "${statement.Effect} ${join(",", statement.Action)} ${join(",", statement.Resource)}"
      } == {
      ReadMemory = "Allow dynamodb:GetItem,dynamodb:Query arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      WriteLogs = join(" ", [
        "Allow logs:CreateLogStream,logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/scan-console-widget:*",
      ])
    }
    error_message = "The console widget should be allowed to read the table, and nothing else."
  }

  assert {
    condition = module.console_widget[0].function.environment[0].variables == tomap({
      AWS_ENDPOINT_URL_DYNAMODB = "http://dynamodb:8000"
      ECR_IMAGES_DURATION_DELTA = "1m2w"
      MEMORY_TABLE_NAME         = "scan-memory"
      REPORTER_NAME             = "scan"
    })
    error_message = "The console widget should have the maximum age, the table, the instance's name and the additional variables."
  }

  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      [widget.type, widget.x, widget.y, widget.width, widget.properties.endpoint] if widget.type == "custom"
    ] == [["custom", 0, 0, 24, "arn:aws:lambda:eu-central-1:123456789012:function:scan-console-widget"]]
    error_message = "The dashboard should begin with the state of the registry."
  }

  assert {
    condition = (
      module.console_widget[0].function.function_name == "scan-console-widget" &&
      module.console_widget[0].function.handler == "ecr_scan_reporter.console_widget.handler" &&
      fileexists("lambda_src/ecr_scan_reporter/console_widget.py") &&
      [module.console_widget[0].function.memory_size, module.console_widget[0].function.timeout] == [1024, 30]
    )
    error_message = "The console widget should have a handler of its own that the package contains."
  }

  assert {
    condition = (
      module.console_widget[0].role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" &&
      module.console_widget[0].log_group.retention_in_days == 7 &&
      module.console_widget[0].function.tags == tomap({ team = "platform" })
    )
    error_message = "The console widget should have the boundary, the log retention and the tags of the other functions."
  }

  assert {
    condition = (
      output.console_widget_function_arn == "arn:aws:lambda:eu-central-1:123456789012:function:console-widget" &&
      output.console_widget_function_name == "scan-console-widget"
    )
    error_message = "The outputs should name the function."
  }
}

run "inputs_of_all_functions" {
  variables {
    dashboard_widget = true
    architecture     = "x86_64"
    kms_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"
    log_level        = "DEBUG"
    role_path        = "/security/"
    tracing          = true
    vpc_config       = { subnet_ids = ["subnet-0123456789abcdef0"], security_group_ids = ["sg-0123456789abcdef0"] }
  }

  assert {
    condition = (
      module.console_widget[0].function.architectures == tolist(["x86_64"]) &&
      module.console_widget[0].function.kms_key_arn == var.kms_key_arn &&
      module.console_widget[0].function.logging_config[0].application_log_level == "DEBUG" &&
      module.console_widget[0].function.tracing_config[0].mode == "Active" &&
      module.console_widget[0].function.vpc_config[0].subnet_ids == toset(["subnet-0123456789abcdef0"]) &&
      module.console_widget[0].role.path == "/security/"
    )
    error_message = "The console widget should follow the inputs that hold for all functions."
  }
}
