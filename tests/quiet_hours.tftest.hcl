# Checks quiet_hours: which windows are accepted, and what the reporter then knows.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "windows" {
  command = plan

  variables {
    quiet_hours                       = ["FRI 18:00-MON 08:00", "MON-THU 20:00-07:00", "22:00-06:00"]
    quiet_hours_time_zone             = "America/Argentina/Buenos_Aires"
    quiet_hours_let_exploited_through = true
  }

  assert {
    condition = module.reporter.function.environment[0].variables["QUIET_HOURS"] == jsonencode({
      windows = var.quiet_hours, time_zone = "America/Argentina/Buenos_Aires", exploited = true
    })
    error_message = "The reporter should know the windows as they are."
  }
}

run "time" {
  command = plan

  variables {
    quiet_hours = ["FRI 24:00-MON 08:00"]
  }

  expect_failures = [var.quiet_hours]
}

run "days_and_day" {
  command = plan

  variables {
    quiet_hours = ["MON-FRI 18:00-MON 08:00"]
  }

  expect_failures = [var.quiet_hours]
}

run "too_many" {
  command = plan

  variables {
    quiet_hours = [for hour in range(4) : "0${hour}:00-0${hour}:30"]
  }

  expect_failures = [var.quiet_hours]
}

run "zone" {
  command = plan

  variables {
    quiet_hours_time_zone = "../Berlin"
  }

  expect_failures = [var.quiet_hours_time_zone]
}
