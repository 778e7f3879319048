mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = module.images_queue.aws_sqs_queue.this
  values = {
    arn = "arn:aws:sqs:eu-central-1:123456789012:images"
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/images"
  }
}

override_resource {
  target = module.reports_queue.aws_sqs_queue.this
  values = {
    arn = "arn:aws:sqs:eu-central-1:123456789012:reports"
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/reports"
  }
}

override_resource {
  target = aws_sns_topic.reports
  values = { arn = "arn:aws:sns:eu-central-1:123456789012:reports" }
}

override_resource {
  target = aws_sns_topic.alarms
  values = { arn = "arn:aws:sns:eu-central-1:123456789012:alarms" }
}

run "defaults" {
  assert {
    condition = module.repositories_scanner.function.environment[0].variables == tomap({
      REPOSITORIES_FILTER_REGEXP  = ".*"
      REPOSITORIES_EXCLUDE_REGEXP = ""
      THREADS                     = "16"
      SCHEDULE_EXPRESSION         = "rate(1 day)"
      ECR_IMAGES_DURATION_DELTA   = "7d"
      IMAGES_QUEUE_URL            = "https://sqs.eu-central-1.amazonaws.com/123456789012/images"
      MEMORY_TABLE_NAME           = "ecr-scan-reporter-memory"
      REPORTER_NAME               = "ecr-scan-reporter"
      DETAILED_METRICS            = "false"
      EXPORT_QUEUE_URL            = ""
    })
    error_message = "The repositories scanner should have the filter, the schedule, the promised age, its queue, the table and the instance's name."
  }

  assert {
    condition = module.images_scanner.function.environment[0].variables == tomap({
      ECR_IMAGES_DURATION_DELTA = "7d"
      SCHEDULE_EXPRESSION       = "rate(1 day)"
      IMAGES_SELECTION = jsonencode({
        newest = null, pulled_within = null, pushed_within = null, tag_regexp = null, tagged_only = false
      })
      IMAGES_QUEUE_URL  = "https://sqs.eu-central-1.amazonaws.com/123456789012/images"
      REPORTS_QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/reports"
      MEMORY_TABLE_NAME = "ecr-scan-reporter-memory"
      REPORTER_NAME     = "ecr-scan-reporter"
      THREADS           = "16"
      DETAILED_METRICS  = "false"
    })
    error_message = "The images scanner should have the maximum age, the schedule, the two queues, the table and the instance's name."
  }

  assert {
    condition = module.reporter.function.environment[0].variables == tomap({
      REPORTS_TOPIC_ARN           = "arn:aws:sns:eu-central-1:123456789012:reports"
      REPORTS_QUEUE_URL           = "https://sqs.eu-central-1.amazonaws.com/123456789012/reports"
      DLQ_URLS                    = "[\"https://sqs.eu-central-1.amazonaws.com/123456789012/mock\",\"https://sqs.eu-central-1.amazonaws.com/123456789012/mock\"]"
      ECR_IMAGES_DURATION_DELTA   = "7d"
      SCHEDULE_EXPRESSION         = "rate(1 day)"
      SUBJECT_PREFIX              = "[ECR]"
      ACCOUNT_NAME                = ""
      CONTACT                     = ""
      OVERVIEW_SCHEDULE           = "cron(0 7 ? * MON *)"
      CHAT_TOPIC_ARN              = ""
      ALARMS_TOPIC_ARN            = "arn:aws:sns:eu-central-1:123456789012:alarms"
      DETAILED_METRICS            = "false"
      REPOSITORIES_FILTER_REGEXP  = ".*"
      REPOSITORIES_EXCLUDE_REGEXP = ""
      SEVERITY_THRESHOLDS         = "{\"CRITICAL\":1,\"HIGH\":1}"
      FIXABLE_ONLY                = "false"
      GROUP_BY                    = ""
      MEMORY_TABLE_NAME           = "ecr-scan-reporter-memory"
      NOTIFY_ON                   = "changes"
      NOTIFY_ON_FIXED             = "false"
      NOTIFY_ON_SCAN_FAILURE      = "true"
      REMIND_AFTER                = "30d"
      REPORT_WINDOW_SECONDS       = "60"
      FIX_WITHIN                  = ""
      KNOWN_EXPLOITED             = "false"
      IGNORE_KERNEL_HEADERS       = "true"
      REPORTER_NAME               = "ecr-scan-reporter"
      EXPORT                      = ""
      QUIET_HOURS                 = ""
    })
    error_message = "The reporter should have its queue, its topic, the table, the thresholds and when to report."
  }
}

run "inputs" {
  command = plan

  variables {
    # Longer than any physical name: the reporter gets the name as the user wrote it.
    name                       = "platform-security-of-the-organisation-in-central-europe-production"
    repositories_filter_regexp = "^(?!sandbox/)"
    images_duration_delta      = "1m2w3d"
    fixable_only               = true
    group_by                   = "^([^/]+)/"
    notify_on                  = "every_scan"
    notify_on_fixed            = true
    notify_on_scan_failure     = false
    remind_after               = "2w"
    report_window              = 3600
    subject_prefix             = "[ECR prod]"
    account_name               = "prod"
    contact                    = "#platform in Slack"
    overview_schedule          = "7 days"
    environment_variables      = { AWS_ENDPOINT_URL_ECR = "http://ecr:5000" }
    detailed_monitoring        = true
    alarm_actions              = ["arn:aws:sns:eu-central-1:123456789012:pager"]
  }

  assert {
    condition = (
      module.repositories_scanner.function.environment[0].variables["REPOSITORIES_FILTER_REGEXP"] == "^(?!sandbox/)" &&
      module.reporter.function.environment[0].variables["REPOSITORIES_FILTER_REGEXP"] == "^(?!sandbox/)" &&
      module.repositories_scanner.function.environment[0].variables["ECR_IMAGES_DURATION_DELTA"] == "1m2w3d" &&
      module.images_scanner.function.environment[0].variables["ECR_IMAGES_DURATION_DELTA"] == "1m2w3d" &&
      module.reporter.function.environment[0].variables["NOTIFY_ON"] == "every_scan" &&
      module.reporter.function.environment[0].variables["NOTIFY_ON_FIXED"] == "true" &&
      module.reporter.function.environment[0].variables["NOTIFY_ON_SCAN_FAILURE"] == "false" &&
      module.reporter.function.environment[0].variables["REMIND_AFTER"] == "2w" &&
      module.reporter.function.environment[0].variables["REPORT_WINDOW_SECONDS"] == "3600" &&
      module.reporter.function.environment[0].variables["FIXABLE_ONLY"] == "true" &&
      module.reporter.function.environment[0].variables["GROUP_BY"] == "^([^/]+)/" &&
      module.reporter.function.environment[0].variables["SUBJECT_PREFIX"] == "[ECR prod]" &&
      module.reporter.function.environment[0].variables["ACCOUNT_NAME"] == "prod" &&
      module.reporter.function.environment[0].variables["CONTACT"] == "#platform in Slack" &&
      module.reporter.function.environment[0].variables["OVERVIEW_SCHEDULE"] == "rate(7 days)" &&
      module.reporter.function.environment[0].variables["REPORTER_NAME"] == var.name
    )
    error_message = "The functions should have the inputs unchanged."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.environment[0].variables["DETAILED_METRICS"] == "true"
    ])
    error_message = "All functions should know that all numbers are metrics."
  }

  # The overview says that nobody receives the alarms only if the topic is all that they notify.
  assert {
    condition     = module.reporter.function.environment[0].variables["ALARMS_TOPIC_ARN"] == ""
    error_message = "The reporter should not ask who receives the alarms if they have another action."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.environment[0].variables["AWS_ENDPOINT_URL_ECR"] == "http://ecr:5000"
    ])
    error_message = "All functions should have the additional variables."
  }
}

run "weekly_rate" {
  command = plan

  variables {
    rate = "7 days"
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.environment[0].variables["SCHEDULE_EXPRESSION"] == "rate(7 days)"
    ])
    error_message = "The functions should know the schedule, in the form in which EventBridge has it."
  }
}

run "cron_expression" {
  command = plan

  variables {
    rate = "cron(0 4 ? * MON-FRI *)"
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.environment[0].variables["SCHEDULE_EXPRESSION"] == "cron(0 4 ? * MON-FRI *)"
    ])
    error_message = "The functions should know the schedule, in the form in which EventBridge has it."
  }
}

run "without_reminders" {
  command = plan

  variables {
    remind_after = null
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["REMIND_AFTER"] == ""
    error_message = "The reporter should have an empty REMIND_AFTER for never."
  }
}

run "thresholds_beside_the_defaults" {
  command = plan

  variables {
    severity_thresholds = { MEDIUM = 10, UNTRIAGED = 2 }
  }

  assert {
    condition = jsondecode(module.reporter.function.environment[0].variables["SEVERITY_THRESHOLDS"]) == {
      CRITICAL = 1, HIGH = 1, MEDIUM = 10, UNTRIAGED = 2
    }
    error_message = "CRITICAL and HIGH should stay on when others are set."
  }
}

run "thresholds_in_place_of_the_defaults" {
  command = plan

  variables {
    severity_thresholds = { CRITICAL = 3, HIGH = null, LOW = null }
  }

  assert {
    condition     = module.reporter.function.environment[0].variables["SEVERITY_THRESHOLDS"] == "{\"CRITICAL\":3}"
    error_message = "null should turn a severity off."
  }
}
