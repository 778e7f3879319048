# Rejects values just beyond the bounds of each input, and accepts the bounds themselves.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_empty_name" {
  command = plan

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "rejects_name_of_129_characters" {
  command = plan

  variables {
    name = format("%0129d", 0)
  }

  expect_failures = [var.name]
}

run "rejects_name_with_a_space" {
  command = plan

  variables {
    name = "scan reporter"
  }

  expect_failures = [var.name]
}

run "rejects_name_with_a_dot" {
  command = plan

  variables {
    name = "scan.reporter"
  }

  expect_failures = [var.name]
}

run "rejects_empty_rate" {
  command = plan

  variables {
    rate = ""
  }

  expect_failures = [var.rate]
}

run "rejects_rate_of_101_characters" {
  command = plan

  variables {
    rate = "1${format("%088d", 0)} hours"
  }

  expect_failures = [var.rate]
}

run "rejects_rate_of_zero" {
  command = plan

  variables {
    rate = "0 days"
  }

  expect_failures = [var.rate]
}

run "rejects_singular_unit_for_two" {
  command = plan

  variables {
    rate = "2 day"
  }

  expect_failures = [var.rate]
}

run "rejects_plural_unit_for_one" {
  command = plan

  variables {
    rate = "1 days"
  }

  expect_failures = [var.rate]
}

run "rejects_fraction_as_rate" {
  command = plan

  variables {
    rate = "1.5 hours"
  }

  expect_failures = [var.rate]
}

run "rejects_negative_rate" {
  command = plan

  variables {
    rate = "-1 days"
  }

  expect_failures = [var.rate]
}

run "rejects_weeks_as_unit" {
  command = plan

  variables {
    rate = "2 weeks"
  }

  expect_failures = [var.rate]
}

run "rejects_leading_zero_in_rate" {
  command = plan

  variables {
    rate = "01 day"
  }

  expect_failures = [var.rate]
}

run "rejects_unclosed_rate" {
  command = plan

  variables {
    rate = "rate(1 day"
  }

  expect_failures = [var.rate]
}

run "rejects_unopened_rate" {
  command = plan

  variables {
    rate = "1 day)"
  }

  expect_failures = [var.rate]
}

run "rejects_nested_rate" {
  command = plan

  variables {
    rate = "rate(rate(1 day))"
  }

  expect_failures = [var.rate]
}

run "rejects_two_spaces_in_rate" {
  command = plan

  variables {
    rate = "1  day"
  }

  expect_failures = [var.rate]
}

run "rejects_one_time_schedule" {
  command = plan

  variables {
    rate = "at(2030-01-01T00:00:00)"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_with_five_fields" {
  command = plan

  variables {
    rate = "cron(0 4 * * ?)"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_with_seven_fields" {
  command = plan

  variables {
    rate = "cron(0 0 4 * * ? *)"
  }

  expect_failures = [var.rate]
}

run "rejects_unclosed_cron" {
  command = plan

  variables {
    rate = "cron(0 4 * * ? *"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_without_question_mark" {
  command = plan

  variables {
    rate = "cron(0 4 * * * *)"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_with_two_question_marks" {
  command = plan

  variables {
    rate = "cron(0 4 ? * ? *)"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_with_a_word_as_hour" {
  command = plan

  variables {
    rate = "cron(0 noon * * ? *)"
  }

  expect_failures = [var.rate]
}

run "rejects_cron_of_257_characters" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(121) : "1"])} * ? *)"
  }

  expect_failures = [var.rate]
}

run "rejects_empty_filter" {
  command = plan

  variables {
    repositories_filter_regexp = ""
  }

  expect_failures = [var.repositories_filter_regexp]
}

run "rejects_filter_of_513_characters" {
  command = plan

  variables {
    repositories_filter_regexp = format("%0513d", 0)
  }

  expect_failures = [var.repositories_filter_regexp]
}

run "rejects_empty_duration" {
  command = plan

  variables {
    images_duration_delta = ""
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_in_wrong_order" {
  command = plan

  variables {
    images_duration_delta = "3d2w"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_of_zero_days" {
  command = plan

  variables {
    images_duration_delta = "0d"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_of_zero" {
  command = plan

  variables {
    images_duration_delta = "0m0w00d"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_without_unit" {
  command = plan

  variables {
    images_duration_delta = "7"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_in_hours" {
  command = plan

  variables {
    images_duration_delta = "12h"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_negative_duration" {
  command = plan

  variables {
    images_duration_delta = "-7d"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_with_a_space" {
  command = plan

  variables {
    images_duration_delta = "1m 2w"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_duration_with_upper_case_unit" {
  command = plan

  variables {
    images_duration_delta = "7D"
  }

  expect_failures = [var.images_duration_delta]
}

run "rejects_empty_email" {
  command = plan

  variables {
    email = ""
  }

  expect_failures = [var.email]
}

run "rejects_email_without_domain" {
  command = plan

  variables {
    email = "security@"
  }

  expect_failures = [var.email]
}

run "rejects_email_without_top_level_domain" {
  command = plan

  variables {
    email = "security@example"
  }

  expect_failures = [var.email]
}

run "rejects_email_without_at_sign" {
  command = plan

  variables {
    email = "security.example.com"
  }

  expect_failures = [var.email]
}

run "rejects_two_emails" {
  command = plan

  variables {
    email = "a@example.com, b@example.com"
  }

  expect_failures = [var.email]
}

run "rejects_email_that_ends_with_a_dot" {
  command = plan

  variables {
    email = "security@example.com."
  }

  expect_failures = [var.email]
}

run "rejects_misspelled_severity" {
  command = plan

  variables {
    severity_thresholds = { CRITCAL = 1 }
  }

  expect_failures = [var.severity_thresholds]
}

run "rejects_lower_case_severity" {
  command = plan

  variables {
    severity_thresholds = { critical = 1 }
  }

  expect_failures = [var.severity_thresholds]
}

run "rejects_threshold_of_zero" {
  command = plan

  variables {
    severity_thresholds = { CRITICAL = 0 }
  }

  expect_failures = [var.severity_thresholds]
}

run "rejects_fraction_as_threshold" {
  command = plan

  variables {
    severity_thresholds = { HIGH = 1.5 }
  }

  expect_failures = [var.severity_thresholds]
}

run "rejects_memory_below_128" {
  command = plan

  variables {
    functions = { repositories_scanner = { memory = 127 } }
  }

  expect_failures = [var.functions]
}

run "rejects_memory_above_10240" {
  command = plan

  variables {
    functions = { images_scanner = { memory = 10241 } }
  }

  expect_failures = [var.functions]
}

run "rejects_fraction_as_memory" {
  command = plan

  variables {
    functions = { reporter = { memory = 256.5 } }
  }

  expect_failures = [var.functions]
}

run "rejects_timeout_of_zero" {
  command = plan

  variables {
    functions = { images_scanner = { timeout = 0 } }
  }

  expect_failures = [var.functions]
}

run "rejects_timeout_above_900" {
  command = plan

  variables {
    functions = { reporter = { timeout = 901 } }
  }

  expect_failures = [var.functions]
}

run "rejects_fraction_as_timeout" {
  command = plan

  variables {
    functions = { repositories_scanner = { timeout = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "rejects_reserved_concurrency_of_zero" {
  command = plan

  variables {
    functions = { repositories_scanner = { concurrency = 0 } }
  }

  expect_failures = [var.functions]
}

run "rejects_fraction_as_reserved_concurrency" {
  command = plan

  variables {
    functions = { repositories_scanner = { concurrency = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "rejects_images_scanner_concurrency_below_two" {
  command = plan

  variables {
    functions = { images_scanner = { concurrency = 1 } }
  }

  expect_failures = [var.functions]
}

run "rejects_concurrency_above_1000" {
  command = plan

  variables {
    functions = { reporter = { concurrency = 1001 } }
  }

  expect_failures = [var.functions]
}

run "rejects_fraction_as_concurrency" {
  command = plan

  variables {
    functions = { images_scanner = { concurrency = 2.5 } }
  }

  expect_failures = [var.functions]
}

run "rejects_reporter_concurrency_below_two" {
  command = plan

  variables {
    functions = { reporter = { concurrency = 1 } }
  }

  expect_failures = [var.functions]
}

run "rejects_variable_of_the_module" {
  command = plan

  variables {
    environment_variables = { REPORTS_TOPIC_ARN = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_variable_of_lambda" {
  command = plan

  variables {
    environment_variables = { AWS_REGION = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_variable_name_with_a_hyphen" {
  command = plan

  variables {
    environment_variables = { A-B = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_variable_name_of_one_letter" {
  command = plan

  variables {
    environment_variables = { A = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_variable_name_with_leading_underscore" {
  command = plan

  variables {
    environment_variables = { _HANDLER = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_environment_of_401_characters" {
  command = plan

  variables {
    environment_variables = { LONG = format("%0390d", 0) }
  }

  expect_failures = [var.environment_variables]
}

run "rejects_retention_that_cloudwatch_lacks" {
  command = plan

  variables {
    log_retention_days = 10
  }

  expect_failures = [var.log_retention_days]
}

run "rejects_negative_retention" {
  command = plan

  variables {
    log_retention_days = -1
  }

  expect_failures = [var.log_retention_days]
}

run "rejects_empty_boundary" {
  command = plan

  variables {
    permissions_boundary = ""
  }

  expect_failures = [var.permissions_boundary]
}

run "rejects_boundary_that_is_no_arn" {
  command = plan

  variables {
    permissions_boundary = "boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "rejects_boundary_that_is_a_role" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "rejects_boundary_with_a_short_account" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::12345:policy/boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "rejects_tag_key_of_aws" {
  command = plan

  variables {
    tags = { "aws:team" = "x" }
  }

  expect_failures = [var.tags]
}

run "rejects_empty_tag_key" {
  command = plan

  variables {
    tags = { "" = "x" }
  }

  expect_failures = [var.tags]
}

run "rejects_tag_key_of_129_characters" {
  command = plan

  variables {
    tags = { (format("%0129d", 0)) = "x" }
  }

  expect_failures = [var.tags]
}

run "rejects_tag_value_of_257_characters" {
  command = plan

  variables {
    tags = { team = format("%0257d", 0) }
  }

  expect_failures = [var.tags]
}

run "rejects_more_than_50_tags" {
  command = plan

  variables {
    tags = { for number in range(51) : "tag-${number}" => "x" }
  }

  expect_failures = [var.tags]
}

run "least_values_accepted" {
  variables {
    name                       = "n"
    rate                       = "1 minute"
    repositories_filter_regexp = "."
    images_duration_delta      = "1d"
    email                      = "a@b.c"
    severity_thresholds        = { CRITICAL = 1, HIGH = 1, MEDIUM = 1, LOW = 1, INFORMATIONAL = 1, UNDEFINED = 1, UNTRIAGED = 1 }
    functions = {
      repositories_scanner = { memory = 128, timeout = 1, concurrency = 1 }
      images_scanner       = { memory = 128, timeout = 1, concurrency = 2 }
      reporter             = { memory = 128, timeout = 1, concurrency = 2 }
    }
    environment_variables = { AB = "" }
    log_retention_days    = 0
    permissions_boundary  = "arn:aws:iam::aws:policy/PowerUserAccess"
    tags                  = { k = "" }
  }
}

run "greatest_values_accepted" {
  variables {
    name                       = format("%0128d", 0)
    rate                       = "1${format("%087d", 0)} hours"
    repositories_filter_regexp = format("%0512d", 0)
    images_duration_delta      = "00123456789m2w3d"
    email                      = "first.last+ecr@mail.example.co.uk"
    severity_thresholds        = { CRITICAL = 1000000, HIGH = null }
    functions = {
      repositories_scanner = { memory = 10240, timeout = 900, concurrency = 1000 }
      images_scanner       = { memory = 10240, timeout = 900, concurrency = 1000 }
      reporter             = { memory = 10240, timeout = 900, concurrency = 1000 }
    }
    subject_prefix        = "[${format("%028d", 0)}]"
    account_name          = format("%060d", 0)
    contact               = format("%0100d", 0)
    overview_schedule     = "cron(0${join("", [for n in range(40) : ",1"])} 7 ? * MON *)"
    environment_variables = { LONG = format("%0289d", 0) }
    log_retention_days    = 3653
    permissions_boundary  = "arn:aws-us-gov:iam::123456789012:policy/team/boundary"
    tags = merge(
      { for number in range(49) : "tag-${number}" => "x" },
      { (format("%0128d", 0)) = format("%0256d", 0) },
    )
  }
}

run "null_is_the_default" {
  command = plan

  variables {
    name                       = null
    enabled                    = null
    rate                       = null
    repositories_filter_regexp = null
    images_duration_delta      = null
    email                      = null
    severity_thresholds        = null
    notify_on_scan_failure     = null
    functions                  = null
    environment_variables      = null
    memory_deletion_protection = null
    exclusive_role_policies    = null
    log_retention_days         = null
    permissions_boundary       = null
    tags                       = null
  }
}

run "rate_with_brackets_accepted" {
  command = plan

  variables {
    rate                       = "rate(1 day)"
    repositories_filter_regexp = "^(?!sandbox/)"
    images_duration_delta      = "1m2w3d"
    environment_variables      = { AWS_ENDPOINT_URL = "http://localhost:4566" }
  }
}

run "rate_of_ten_accepted" {
  command = plan

  variables {
    rate                  = "10 minutes"
    images_duration_delta = "2w"
  }
}

run "cron_by_day_of_month_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 1,15 JAN-DEC ? 2030-2040)"
  }
}

run "cron_by_day_of_week_accepted" {
  command = plan

  variables {
    rate = "cron(0/15 8-17 ? * MON-FRI *)"
  }
}

run "cron_by_last_weekday_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 LW * ? *)"
  }
}

run "cron_by_third_monday_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 ? * 2#3 *)"
  }
}

run "cron_of_100_characters_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(41) : "1"])},11 * ? *)"
  }
}

run "rejects_prefix_name_and_contact_that_no_message_has_room_for" {
  command = plan

  variables {
    subject_prefix = "[ECR] "
    account_name   = "prod\n"
    contact        = format("%0101d", 0)
  }

  expect_failures = [var.subject_prefix, var.account_name, var.contact]
}

run "rejects_subject_prefix_of_31_characters" {
  command = plan

  variables {
    subject_prefix = format("%031d", 0)
  }

  expect_failures = [var.subject_prefix]
}
