mock_provider "aws" {
  source = "./tests/mocks"
}

run "every_name_begins_with_the_instance" {
  command = plan

  variables {
    name = "team_A-1"
  }

  assert {
    condition = local.names == {
      schedule             = "team_A-1-schedule"
      repositories_scanner = "team_A-1-repositories-scanner"
      images               = "team_A-1-images"
      images_dlq           = "team_A-1-images-dlq"
      images_scanner       = "team_A-1-images-scanner"
      scan_events          = "team_A-1-scan-events"
      reports              = "team_A-1-reports"
      reports_dlq          = "team_A-1-reports-dlq"
      reporter             = "team_A-1-reporter"
      overview_schedule    = "team_A-1-overview-schedule"
      chat                 = "team_A-1-chat"
      memory               = "team_A-1-memory"
      console_widget       = "team_A-1-console-widget"
      heartbeat            = "team_A-1-heartbeat"
      first_run            = "team_A-1-first-run"
      alarms               = "team_A-1-alarms"
      daily_pass           = "team_A-1-daily-pass"
      catalog_reader       = "team_A-1-catalog-reader"
      catalog_schedule     = "team_A-1-catalog-schedule"
    }
    error_message = "A name that fits should be kept."
  }
}

# "-repositories-scanner" has 21 characters: 43 fill the 64, 44 are one too many.
run "longest_name_that_fits" {
  command = plan

  variables {
    name = "a123456789b123456789c123456789d123456789e12"
  }

  assert {
    condition     = module.repositories_scanner.function.function_name == "a123456789b123456789c123456789d123456789e12-repositories-scanner"
    error_message = "A name of 64 characters should be kept."
  }
}

run "shortest_name_that_does_not_fit" {
  command = plan

  variables {
    name = "a123456789b123456789c123456789d123456789e123"
  }

  assert {
    condition = (
      module.repositories_scanner.function.function_name == join("-", [
        "a123456789b123456789c123456789d123", substr(sha256(var.name), 0, 8), "repositories-scanner",
      ]) &&
      length(module.repositories_scanner.function.function_name) == 64
    )
    error_message = "A name of 65 characters should become 64 characters with a hash."
  }

  assert {
    condition     = module.reporter.function.function_name == "${var.name}-reporter"
    error_message = "A name that fits should be kept even if others are cut."
  }

  assert {
    condition     = module.repositories_scanner.role.name == module.repositories_scanner.function.function_name
    error_message = "The role should be named like its function."
  }
}

run "long_name" {
  variables {
    name = "platform-security-of-the-organisation-in-central-europe-production-blue"
    chat = true
  }

  assert {
    condition     = alltrue([for name in values(local.names) : can(regex("^[A-Za-z0-9_-]{64}$", name))])
    error_message = "Every name of an instance with a long name should have 64 valid characters."
  }

  assert {
    condition     = length(distinct(values(local.names))) == length(local.names)
    error_message = "The names of one instance should be distinct."
  }

  assert {
    condition = (
      aws_cloudwatch_event_rule.schedule.name == local.names.schedule &&
      aws_cloudwatch_event_rule.scan_events.name == local.names.scan_events &&
      module.images_queue.queue.name == local.names.images &&
      module.images_queue.dlq.name == local.names.images_dlq &&
      module.reports_queue.queue.name == local.names.reports &&
      module.reports_queue.dlq.name == local.names.reports_dlq &&
      aws_sns_topic.reports[0].name == local.names.reports &&
      aws_sns_topic.chat[0].name == local.names.chat &&
      aws_sns_topic.alarms[0].name == local.names.alarms &&
      aws_cloudwatch_event_rule.heartbeat[0].name == local.names.heartbeat &&
      aws_cloudwatch_event_rule.daily_pass.name == local.names.daily_pass &&
      aws_dynamodb_table.memory.name == local.names.memory &&
      module.repositories_scanner.function.function_name == local.names.repositories_scanner &&
      module.images_scanner.function.function_name == local.names.images_scanner &&
      module.reporter.function.function_name == local.names.reporter
    )
    error_message = "Every resource should have its name from local.names."
  }

  assert {
    condition = endswith(
      jsondecode(module.images_queue.dlq.redrive_allow_policy).sourceQueueArns[0],
      ":${module.images_queue.queue.name}",
    )
    error_message = "Composed ARNs should contain the names of the resources."
  }
}

run "long_name_with_the_same_prefix" {
  variables {
    name = "platform-security-of-the-organisation-in-central-europe-production-green"
    chat = true
  }

  assert {
    condition = length(setintersection(values(local.names), [
      run.long_name.schedule_rule_name, run.long_name.scan_events_rule_name, run.long_name.daily_pass_rule_name,
      run.long_name.images_queue_name, run.long_name.images_dead_letter_queue_name,
      run.long_name.reports_queue_name, run.long_name.reports_dead_letter_queue_name,
      run.long_name.reports_topic_name, run.long_name.chat_topic_name, run.long_name.alarms_topic_name,
      run.long_name.repositories_scanner_function_name, run.long_name.images_scanner_function_name,
      run.long_name.reporter_function_name, run.long_name.memory_table_name,
    ])) == 0
    error_message = "Two long names with the same beginning should share no resource name."
  }
}
