# Every validation refuses what is just beyond its bound, and accepts the bound itself. A run costs half a second, so
# each has one more case of every input that has one left: a case that is not refused is told by its variable.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "refused_01" {
  command = plan

  variables {
    name                       = ""
    rate                       = ""
    repositories_filter_regexp = ""
    images_duration_delta      = ""
    email                      = ""
    severity_thresholds        = { CRITCAL = 1 }
    functions                  = { repositories_scanner = { memory = 127 } }
    environment_variables      = { REPORTS_TOPIC_ARN = "x" }
    log_retention_days         = 10
    permissions_boundary       = ""
    tags                       = { "aws:team" = "x" }
  }

  expect_failures = [
    var.name,
    var.rate,
    var.repositories_filter_regexp,
    var.images_duration_delta,
    var.email,
    var.severity_thresholds,
    var.functions,
    var.environment_variables,
    var.log_retention_days,
    var.permissions_boundary,
    var.tags,
  ]
}

run "refused_02" {
  command = plan

  variables {
    name                       = format("%0129d", 0)
    rate                       = "1${format("%0244d", 0)} hours"
    repositories_filter_regexp = format("%01025d", 0)
    images_duration_delta      = "3d2w"
    email                      = "security@"
    severity_thresholds        = { critical = 1 }
    functions                  = { images_scanner = { memory = 10241 } }
    environment_variables      = { AWS_REGION = "x" }
    log_retention_days         = -1
    permissions_boundary       = "boundary"
    tags                       = { "" = "x" }
  }

  expect_failures = [
    var.name,
    var.rate,
    var.repositories_filter_regexp,
    var.images_duration_delta,
    var.email,
    var.severity_thresholds,
    var.functions,
    var.environment_variables,
    var.log_retention_days,
    var.permissions_boundary,
    var.tags,
  ]
}

run "refused_03" {
  command = plan

  variables {
    name                  = "scan reporter"
    rate                  = "0 days"
    images_duration_delta = "0d"
    email                 = "security@example"
    severity_thresholds   = { CRITICAL = 0 }
    functions             = { reporter = { memory = 256.5 } }
    environment_variables = { A-B = "x" }
    permissions_boundary  = "arn:aws:iam::123456789012:role/boundary"
    tags                  = { (format("%0129d", 0)) = "x" }
  }

  expect_failures = [
    var.name,
    var.rate,
    var.images_duration_delta,
    var.email,
    var.severity_thresholds,
    var.functions,
    var.environment_variables,
    var.permissions_boundary,
    var.tags,
  ]
}

run "refused_04" {
  command = plan

  variables {
    name                  = "scan.reporter"
    rate                  = "2 day"
    images_duration_delta = "0m0w00d"
    email                 = "security.example.com"
    severity_thresholds   = { HIGH = 1.5 }
    functions             = { images_scanner = { timeout = 0 } }
    environment_variables = { A = "x" }
    permissions_boundary  = "arn:aws:iam::12345:policy/boundary"
    tags                  = { team = format("%0257d", 0) }
  }

  expect_failures = [
    var.name,
    var.rate,
    var.images_duration_delta,
    var.email,
    var.severity_thresholds,
    var.functions,
    var.environment_variables,
    var.permissions_boundary,
    var.tags,
  ]
}

run "refused_05" {
  command = plan

  variables {
    rate                  = "1 days"
    images_duration_delta = "7"
    email                 = "a@example.com, b@example.com"
    functions             = { reporter = { timeout = 901 } }
    environment_variables = { _HANDLER = "x" }
    tags                  = { for number in range(51) : "tag-${number}" => "x" }
  }

  expect_failures = [
    var.rate,
    var.images_duration_delta,
    var.email,
    var.functions,
    var.environment_variables,
    var.tags,
  ]
}

run "refused_06" {
  command = plan

  variables {
    rate                  = "1.5 hours"
    images_duration_delta = "12h"
    email                 = "security@example.com."
    functions             = { repositories_scanner = { timeout = 1.5 } }
    environment_variables = { LONG = format("%01021d", 0) }
  }

  expect_failures = [
    var.rate,
    var.images_duration_delta,
    var.email,
    var.functions,
    var.environment_variables,
  ]
}

run "refused_07" {
  command = plan

  variables {
    rate                  = "-1 days"
    images_duration_delta = "-7d"
    functions             = { repositories_scanner = { concurrency = 0 } }
  }

  expect_failures = [var.rate, var.images_duration_delta, var.functions]
}

run "refused_08" {
  command = plan

  variables {
    rate                  = "2 weeks"
    images_duration_delta = "1m 2w"
    functions             = { repositories_scanner = { concurrency = 1.5 } }
  }

  expect_failures = [var.rate, var.images_duration_delta, var.functions]
}

run "refused_09" {
  command = plan

  variables {
    rate                  = "01 day"
    images_duration_delta = "7D"
    functions             = { images_scanner = { concurrency = 1 } }
  }

  expect_failures = [var.rate, var.images_duration_delta, var.functions]
}

run "refused_10" {
  command = plan

  variables {
    rate      = "rate(1 day"
    functions = { reporter = { concurrency = 1001 } }
  }

  expect_failures = [var.rate, var.functions]
}

run "refused_11" {
  command = plan

  variables {
    rate      = "1 day)"
    functions = { images_scanner = { concurrency = 2.5 } }
  }

  expect_failures = [var.rate, var.functions]
}

run "refused_12" {
  command = plan

  variables {
    rate      = "rate(rate(1 day))"
    functions = { reporter = { concurrency = 1 } }
  }

  expect_failures = [var.rate, var.functions]
}

run "refused_13" {
  command = plan

  variables {
    rate = "1  day"
  }

  expect_failures = [var.rate]
}

run "refused_14" {
  command = plan

  variables {
    rate = "at(2030-01-01T00:00:00)"
  }

  expect_failures = [var.rate]
}

run "refused_15" {
  command = plan

  variables {
    rate = "cron(0 4 * * ?)"
  }

  expect_failures = [var.rate]
}

run "refused_16" {
  command = plan

  variables {
    rate = "cron(0 0 4 * * ? *)"
  }

  expect_failures = [var.rate]
}

run "refused_17" {
  command = plan

  variables {
    rate = "cron(0 4 * * ? *"
  }

  expect_failures = [var.rate]
}

run "refused_18" {
  command = plan

  variables {
    rate = "cron(0 4 * * * *)"
  }

  expect_failures = [var.rate]
}

run "refused_19" {
  command = plan

  variables {
    rate = "cron(0 4 ? * ? *)"
  }

  expect_failures = [var.rate]
}

run "refused_20" {
  command = plan

  variables {
    rate = "cron(0 noon * * ? *)"
  }

  expect_failures = [var.rate]
}

run "refused_21" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(121) : "1"])} * ? *)"
  }

  expect_failures = [var.rate]
}

run "least_values_accepted" {
  command = plan

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
  command = plan

  variables {
    name                       = format("%0128d", 0)
    rate                       = "1${format("%0243d", 0)} hours"
    repositories_filter_regexp = format("%01024d", 0)
    images_duration_delta      = "00123456789m2w3d"
    email                      = "first.last+ecr@mail.example.co.uk"
    severity_thresholds        = { CRITICAL = 1000000, HIGH = null }
    functions = {
      repositories_scanner = { memory = 10240, timeout = 900, concurrency = 1000 }
      images_scanner       = { memory = 10240, timeout = 900, concurrency = 1000 }
      reporter             = { memory = 10240, timeout = 900, concurrency = 1000 }
    }
    environment_variables = { LONG = format("%01020d", 0) }
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

run "cron_of_256_characters_accepted" {
  command = plan

  variables {
    rate = "cron(0 4 ${join(",", [for _ in range(119) : "1"])},11 * ? *)"
  }
}
