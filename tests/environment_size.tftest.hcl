# What is longest of all that is accepted. Lambda measures the environment as JSON. In a file of its own: values that a
# run before has left in the state stay as they are, whatever is overridden.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "no_more_than_a_function_holds" {
  override_resource {
    target = module.images_queue.aws_sqs_queue.dlq
    values = {
      arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000"
      url = "https://sqs.us-gov-west-1.amazonaws.com/123456789012/0000000000000000000000000000000000000000000000000000000000000000"
    }
  }
  override_resource {
    target = module.reports_queue.aws_sqs_queue.dlq
    values = {
      arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000"
      url = "https://sqs.us-gov-west-1.amazonaws.com/123456789012/0000000000000000000000000000000000000000000000000000000000000000"
    }
  }
  override_resource {
    target = module.reports_queue.aws_sqs_queue.this
    values = {
      arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000"
      url = "https://sqs.us-gov-west-1.amazonaws.com/123456789012/0000000000000000000000000000000000000000000000000000000000000000"
    }
  }
  override_resource {
    target = aws_sns_topic.reports
    values = { arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000" }
  }
  override_resource {
    target = aws_sns_topic.alarms
    values = { arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000" }
  }
  override_resource {
    target = aws_sns_topic.chat
    values = { arn = "arn:aws-us-gov:sns:us-gov-west-1:123456789012:0000000000000000000000000000000000000000000000000000000000000000" }
  }

  variables {
    name                        = format("%0128d", 0)
    chat                        = true
    repositories_filter_regexp  = format("%0512d", 0)
    repositories_exclude_regexp = format("%0256d", 0)
    group_by                    = "(${format("%0254d", 0)})"
    severity_thresholds = {
      CRITICAL      = 1000000000, HIGH = 1000000000, MEDIUM = 1000000000, LOW = 1000000000
      INFORMATIONAL = 1000000000, UNDEFINED = 1000000000, UNTRIAGED = 1000000000
    }
    known_exploited       = true
    ignore_kernel_headers = false
    fix_within = {
      CRITICAL      = 3650, HIGH = 3650, MEDIUM = 3650, LOW = 3650
      INFORMATIONAL = 3650, UNDEFINED = 3650, UNTRIAGED = 3650, EXPLOITED = 3650, KEV = 3650
    }
    notify_on             = "every_scan"
    remind_after          = "00123456789m2w3d"
    report_window         = 43200
    subject_prefix        = format("%030d", 0)
    account_name          = format("%060d", 0)
    contact               = format("%0100d", 0)
    overview_schedule     = "cron(${join(",", [for minute in range(28) : "59"])} 23 * * ? *)"
    images_duration_delta = "00123456789m2w3d"
    rate                  = "cron(${join(",", [for minute in range(28) : "59"])} 23 * * ? *)"
    quiet_hours           = [for window in range(3) : "MON 00:00-TUE 00:00"]
    # The longest name is America/Argentina/ComodRivadavia.
    quiet_hours_time_zone             = "America/Argentina/ComodRivadavia_Longer1"
    quiet_hours_let_exploited_through = true
    export_bucket                     = format("a%061da", 0)
    export_prefix                     = "${format("%079d", 0)}/"
    export_bucket_owner               = "210987654321"
    export_kms_key_arn                = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-00000000000000000000000000000000"
    environment_variables             = { LONG = format("%0289d", 0) }
  }

  assert {
    condition     = length(jsonencode(module.reporter.function.environment[0].variables)) <= 4096
    error_message = "The environment has ${length(jsonencode(module.reporter.function.environment[0].variables))} characters; it should have at most 4096."
  }
}
