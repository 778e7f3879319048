# Every validation refuses what is just beyond its bound, and accepts the bound itself.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "empty_texts_are_refused" {
  command = plan

  variables {
    name                       = ""
    rate                       = ""
    repositories_filter_regexp = ""
    images_duration_delta      = ""
    email                      = ""
    permissions_boundary       = ""
  }

  expect_failures = [var.name, var.rate, var.repositories_filter_regexp, var.images_duration_delta, var.email, var.permissions_boundary]
}

run "long_texts_are_refused" {
  command = plan

  variables {
    name                       = join("", [for _ in range(129) : "n"])
    rate                       = "${join("", [for _ in range(245) : "9"])} hours"
    repositories_filter_regexp = join("", [for _ in range(1025) : "r"])
    environment_variables      = { LONG = join("", [for _ in range(2045) : "v"]) }
  }

  expect_failures = [var.name, var.rate, var.repositories_filter_regexp, var.environment_variables]
}

run "name_with_a_space_is_refused" {
  command = plan

  variables {
    name = "scan reporter"
  }

  expect_failures = [var.name]
}

run "name_with_a_dot_is_refused" {
  command = plan

  variables {
    name = "scan.reporter"
  }

  expect_failures = [var.name]
}

run "rate_of_nothing_is_refused" {
  command = plan

  variables {
    rate = "0 days"
  }

  expect_failures = [var.rate]
}

run "plural_missing_is_refused" {
  command = plan

  variables {
    rate = "2 day"
  }

  expect_failures = [var.rate]
}

run "plural_for_one_is_refused" {
  command = plan

  variables {
    rate = "1 days"
  }

  expect_failures = [var.rate]
}

run "rate_with_a_fraction_is_refused" {
  command = plan

  variables {
    rate = "1.5 hours"
  }

  expect_failures = [var.rate]
}

run "rate_below_zero_is_refused" {
  command = plan

  variables {
    rate = "-1 days"
  }

  expect_failures = [var.rate]
}

run "rate_in_weeks_is_refused" {
  command = plan

  variables {
    rate = "2 weeks"
  }

  expect_failures = [var.rate]
}

run "rate_with_a_leading_zero_is_refused" {
  command = plan

  variables {
    rate = "01 day"
  }

  expect_failures = [var.rate]
}

run "rate_not_closed_is_refused" {
  command = plan

  variables {
    rate = "rate(1 day"
  }

  expect_failures = [var.rate]
}

run "rate_not_opened_is_refused" {
  command = plan

  variables {
    rate = "1 day)"
  }

  expect_failures = [var.rate]
}

run "rate_in_a_rate_is_refused" {
  command = plan

  variables {
    rate = "rate(rate(1 day))"
  }

  expect_failures = [var.rate]
}

run "rate_with_two_spaces_is_refused" {
  command = plan

  variables {
    rate = "1  day"
  }

  expect_failures = [var.rate]
}

run "one_time_schedule_is_refused" {
  command = plan

  variables {
    rate = "at(2030-01-01T00:00:00)"
  }

  expect_failures = [var.rate]
}

run "cron_of_five_fields_is_refused" {
  command = plan

  variables {
    rate = "cron(0 4 * * ?)"
  }

  expect_failures = [var.rate]
}

run "cron_of_seven_fields_is_refused" {
  command = plan

  variables {
    rate = "cron(0 0 4 * * ? *)"
  }

  expect_failures = [var.rate]
}

run "cron_not_closed_is_refused" {
  command = plan

  variables {
    rate = "cron(0 4 * * ? *"
  }

  expect_failures = [var.rate]
}

run "cron_with_both_days_is_refused" {
  command = plan

  variables {
    rate = "cron(0 4 * * * *)"
  }

  expect_failures = [var.rate]
}

run "cron_with_neither_day_is_refused" {
  command = plan

  variables {
    rate = "cron(0 4 ? * ? *)"
  }

  expect_failures = [var.rate]
}

run "cron_with_a_word_for_the_hour_is_refused" {
  command = plan

  variables {
    rate = "cron(0 noon * * ? *)"
  }

  expect_failures = [var.rate]
}

run "cron_of_257_characters_is_refused" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(118) : "1"])} * ? *)"
  }

  expect_failures = [var.rate]
}

run "duration_in_another_order_is_refused" {
  command = plan

  variables {
    images_duration_delta = "3d2w"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_of_zero_is_refused" {
  command = plan

  variables {
    images_duration_delta = "0d"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_of_zeros_is_refused" {
  command = plan

  variables {
    images_duration_delta = "0m0w00d"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_without_a_unit_is_refused" {
  command = plan

  variables {
    images_duration_delta = "7"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_in_hours_is_refused" {
  command = plan

  variables {
    images_duration_delta = "12h"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_below_zero_is_refused" {
  command = plan

  variables {
    images_duration_delta = "-7d"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_with_a_space_is_refused" {
  command = plan

  variables {
    images_duration_delta = "1m 2w"
  }

  expect_failures = [var.images_duration_delta]
}

run "duration_in_capitals_is_refused" {
  command = plan

  variables {
    images_duration_delta = "7D"
  }

  expect_failures = [var.images_duration_delta]
}

run "email_without_a_domain_is_refused" {
  command = plan

  variables {
    email = "security@"
  }

  expect_failures = [var.email]
}

run "email_without_a_dot_is_refused" {
  command = plan

  variables {
    email = "security@example"
  }

  expect_failures = [var.email]
}

run "email_without_an_at_is_refused" {
  command = plan

  variables {
    email = "security.example.com"
  }

  expect_failures = [var.email]
}

run "list_of_emails_is_refused" {
  command = plan

  variables {
    email = "a@example.com, b@example.com"
  }

  expect_failures = [var.email]
}

run "email_with_a_dot_at_the_end_is_refused" {
  command = plan

  variables {
    email = "security@example.com."
  }

  expect_failures = [var.email]
}

run "misspelt_severity_is_refused" {
  command = plan

  variables {
    severity_thresholds = { CRITCAL = 1 }
  }

  expect_failures = [var.severity_thresholds]
}

run "severity_in_small_letters_is_refused" {
  command = plan

  variables {
    severity_thresholds = { critical = 1 }
  }

  expect_failures = [var.severity_thresholds]
}

run "threshold_of_zero_is_refused" {
  command = plan

  variables {
    severity_thresholds = { CRITICAL = 0 }
  }

  expect_failures = [var.severity_thresholds]
}

run "threshold_with_a_fraction_is_refused" {
  command = plan

  variables {
    severity_thresholds = { HIGH = 1.5 }
  }

  expect_failures = [var.severity_thresholds]
}

run "repositories_scanner_memory_of_127_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { memory = 127 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_memory_of_10241_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { memory = 10241 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_memory_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { memory = 256.5 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_timeout_of_0_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { timeout = 0 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_timeout_of_901_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { timeout = 901 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_timeout_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { timeout = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_concurrency_of_0_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { concurrency = 0 } }
  }

  expect_failures = [var.functions]
}

run "repositories_scanner_concurrency_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { repositories_scanner = { concurrency = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_memory_of_127_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { memory = 127 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_memory_of_10241_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { memory = 10241 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_memory_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { memory = 256.5 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_timeout_of_0_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { timeout = 0 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_timeout_of_901_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { timeout = 901 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_timeout_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { timeout = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_concurrency_of_1_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { concurrency = 1 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_concurrency_of_1001_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { concurrency = 1001 } }
  }

  expect_failures = [var.functions]
}

run "images_scanner_concurrency_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { images_scanner = { concurrency = 2.5 } }
  }

  expect_failures = [var.functions]
}

run "reporter_memory_of_127_is_refused" {
  command = plan

  variables {
    functions = { reporter = { memory = 127 } }
  }

  expect_failures = [var.functions]
}

run "reporter_memory_of_10241_is_refused" {
  command = plan

  variables {
    functions = { reporter = { memory = 10241 } }
  }

  expect_failures = [var.functions]
}

run "reporter_memory_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { reporter = { memory = 256.5 } }
  }

  expect_failures = [var.functions]
}

run "reporter_timeout_of_0_is_refused" {
  command = plan

  variables {
    functions = { reporter = { timeout = 0 } }
  }

  expect_failures = [var.functions]
}

run "reporter_timeout_of_901_is_refused" {
  command = plan

  variables {
    functions = { reporter = { timeout = 901 } }
  }

  expect_failures = [var.functions]
}

run "reporter_timeout_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { reporter = { timeout = 1.5 } }
  }

  expect_failures = [var.functions]
}

run "reporter_concurrency_of_1_is_refused" {
  command = plan

  variables {
    functions = { reporter = { concurrency = 1 } }
  }

  expect_failures = [var.functions]
}

run "reporter_concurrency_of_1001_is_refused" {
  command = plan

  variables {
    functions = { reporter = { concurrency = 1001 } }
  }

  expect_failures = [var.functions]
}

run "reporter_concurrency_of_a_fraction_is_refused" {
  command = plan

  variables {
    functions = { reporter = { concurrency = 2.5 } }
  }

  expect_failures = [var.functions]
}

run "variable_of_the_module_is_refused" {
  command = plan

  variables {
    environment_variables = { "REPORTS_TOPIC_ARN" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "variable_of_lambda_is_refused" {
  command = plan

  variables {
    environment_variables = { "AWS_REGION" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "variable_with_a_hyphen_is_refused" {
  command = plan

  variables {
    environment_variables = { "A-B" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "variable_of_one_letter_is_refused" {
  command = plan

  variables {
    environment_variables = { "A" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "variable_with_an_underscore_in_front_is_refused" {
  command = plan

  variables {
    environment_variables = { "_HANDLER" = "x" }
  }

  expect_failures = [var.environment_variables]
}

run "retention_between_two_steps_is_refused" {
  command = plan

  variables {
    log_retention_days = 10
  }

  expect_failures = [var.log_retention_days]
}

run "retention_below_zero_is_refused" {
  command = plan

  variables {
    log_retention_days = -1
  }

  expect_failures = [var.log_retention_days]
}

run "boundary_by_name_is_refused" {
  command = plan

  variables {
    permissions_boundary = "boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "boundary_that_is_a_role_is_refused" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::123456789012:role/boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "boundary_of_a_short_account_is_refused" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::12345:policy/boundary"
  }

  expect_failures = [var.permissions_boundary]
}

run "tag_of_aws_is_refused" {
  command = plan

  variables {
    tags = { "aws:team" = "x" }
  }

  expect_failures = [var.tags]
}

run "tag_without_a_key_is_refused" {
  command = plan

  variables {
    tags = { "" = "x" }
  }

  expect_failures = [var.tags]
}

run "tag_with_a_long_key_is_refused" {
  command = plan

  variables {
    tags = { (join("", [for _ in range(129) : "k"])) = "x" }
  }

  expect_failures = [var.tags]
}

run "tag_with_a_long_value_is_refused" {
  command = plan

  variables {
    tags = { team = join("", [for _ in range(257) : "v"]) }
  }

  expect_failures = [var.tags]
}

run "tags_beyond_50_are_refused" {
  command = plan

  variables {
    tags = { for number in range(51) : "tag-${number}" => "x" }
  }

  expect_failures = [var.tags]
}

run "least_values_are_accepted" {
  command = plan

  variables {
    name                       = "n"
    rate                       = "1 minute"
    repositories_filter_regexp = "."
    images_duration_delta      = "1d"
    email                      = "a@b.c"
    severity_thresholds        = { CRITICAL = 1, HIGH = 1, MEDIUM = 1, LOW = 1, INFORMATIONAL = 1, UNDEFINED = 1, UNTRIAGED = 1 }
    environment_variables      = { AB = "" }
    log_retention_days         = 0
    permissions_boundary       = "arn:aws:iam::aws:policy/PowerUserAccess"
    tags                       = { k = "" }
    functions = {
      repositories_scanner = { memory = 128, timeout = 1, concurrency = 1 }
      images_scanner       = { memory = 128, timeout = 1, concurrency = 2 }
      reporter             = { memory = 128, timeout = 1, concurrency = 2 }
    }
  }
}

run "greatest_values_are_accepted" {
  command = plan

  variables {
    name                       = join("", [for _ in range(128) : "n"])
    rate                       = "${join("", [for _ in range(244) : "9"])} hours"
    repositories_filter_regexp = join("", [for _ in range(1024) : "r"])
    images_duration_delta      = "00123456789m2w3d"
    email                      = "first.last+ecr@mail.example.co.uk"
    severity_thresholds        = { CRITICAL = 1000000, HIGH = null }
    environment_variables      = { LONG = join("", [for _ in range(2044) : "v"]) }
    log_retention_days         = 3653
    permissions_boundary       = "arn:aws-us-gov:iam::123456789012:policy/team/boundary"
    tags = merge(
      { for number in range(49) : "tag-${number}" => "x" },
      { (join("", [for _ in range(128) : "k"])) = join("", [for _ in range(256) : "v"]) },
    )
    functions = {
      repositories_scanner = { memory = 10240, timeout = 900, concurrency = 1000 }
      images_scanner       = { memory = 10240, timeout = 900, concurrency = 1000 }
      reporter             = { memory = 10240, timeout = 900, concurrency = 1000 }
    }
  }
}

run "rate_with_its_brackets_is_accepted" {
  command = plan

  variables {
    rate = "rate(1 day)"
  }
}

run "rate_of_many_is_accepted" {
  command = plan

  variables {
    rate = "rate(10 minutes)"
  }
}

run "cron_by_day_of_month_is_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 1,15 JAN-DEC ? 2030-2040)"
  }
}

run "cron_by_day_of_week_is_accepted" {
  command = plan

  variables {
    rate = "cron(0/15 8-17 ? * MON-FRI *)"
  }
}

run "cron_by_last_day_is_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 L * ? *)"
  }
}

run "cron_by_weekday_is_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 15W * ? *)"
  }
}

run "cron_by_third_monday_is_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 ? * 2#3 *)"
  }
}

run "cron_of_255_characters_is_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(117) : "1"])} * ? *)"
  }
}

run "lookahead_is_accepted" {
  command = plan

  variables {
    repositories_filter_regexp = "^(?!sandbox/)"
  }
}

run "endpoint_is_accepted" {
  command = plan

  variables {
    environment_variables = { AWS_ENDPOINT_URL = "http://localhost:4566" }
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
    log_retention_days         = null
    permissions_boundary       = null
    tags                       = null
  }
}
