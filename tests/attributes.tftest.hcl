# Attributes of the inputs that have some: misspelled ones, nulls, and values of another type. Nulls in all other inputs.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "rejects_misspelled_attributes" {
  command = plan

  variables {
    images_selection = { newst = 10 }
    subscriptions    = { a = { protocol = "email", endpoint = "a@example.com", filterpolicy = "{}" } }
    functions        = { reporter = { memry = 512 } }
    vpc_config       = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], subnets = ["subnet-2"] }
  }

  expect_failures = [var.images_selection, var.subscriptions, var.functions, var.vpc_config]
}

run "rejects_misspelled_attributes_that_are_null" {
  command = plan

  variables {
    images_selection = { newst = null }
    subscriptions    = { a = { protocol = "email", endpoint = "a@example.com", filterpolicy = null } }
    functions        = { reporter = { memry = null } }
    vpc_config       = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], subnets = null }
  }

  expect_failures = [var.images_selection, var.subscriptions, var.functions, var.vpc_config]
}

run "rejects_function_that_there_is_not" {
  command = plan

  variables {
    functions = { image_scanner = {} }
  }

  expect_failures = [var.functions]
}

run "rejects_attribute_of_another_function" {
  command = plan

  variables {
    functions = { reporter = { threads = 16 } }
  }

  expect_failures = [var.functions]
}

run "rejects_missing_attributes" {
  command = plan

  variables {
    subscriptions = { a = { protocol = "email" } }
    vpc_config    = { subnet_ids = ["subnet-1"] }
  }

  expect_failures = [var.subscriptions, var.vpc_config]
}

run "rejects_missing_protocol" {
  command = plan

  variables {
    subscriptions = { a = { endpoint = "a@example.com" } }
  }

  expect_failures = [var.subscriptions]
}

run "rejects_words_as_numbers_and_booleans" {
  command = plan

  variables {
    images_selection = { newest = "ten" }
    functions        = { images_scanner = { memory = "much" } }
    subscriptions    = { a = { protocol = "sqs", endpoint = "arn:aws:sqs:eu-central-1:123456789012:a", raw_message_delivery = "yes" } }
  }

  expect_failures = [var.images_selection, var.functions, var.subscriptions]
}

run "rejects_word_as_boolean" {
  command = plan

  variables {
    images_selection = { tagged_only = "yes" }
  }

  expect_failures = [var.images_selection]
}

run "rejects_null_elements" {
  command = plan

  variables {
    tags                  = { Owner = null }
    subscriptions         = { a = null }
    fix_within            = { CRITICAL = null }
    ignored_findings      = [null]
    vpc_config            = { subnet_ids = [null], security_group_ids = ["sg-1"] }
    environment_variables = { AB = null }
    alarm_actions         = [null]
  }

  expect_failures = [
    var.tags, var.subscriptions, var.fix_within, var.ignored_findings, var.vpc_config, var.environment_variables,
    var.alarm_actions,
  ]
}

# By itself: the names of the alarms are not known while another input is rejected.
run "rejects_null_alarm" {
  command = plan

  variables {
    disabled_alarms = [null]
  }

  expect_failures = [var.disabled_alarms]
}

run "rejects_null_security_group" {
  command = plan

  variables {
    vpc_config = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1", null] }
  }

  expect_failures = [var.vpc_config]
}

run "rejects_tags_that_differ_in_case" {
  command = plan

  variables {
    tags = { Team = "a", team = "b" }
  }

  expect_failures = [var.tags]
}

run "null_is_the_default" {
  command = plan

  variables {
    images_selection = { tagged_only = null, tag_regexp = null, newest = null, pushed_within = null, pulled_within = null }
    functions        = { repositories_scanner = null, images_scanner = { memory = null, timeout = null, concurrency = null, threads = null } }
    subscriptions = {
      a = {
        protocol             = "email", endpoint = "a@example.com", filter_policy = null, filter_policy_scope = null
        raw_message_delivery = null, subscription_role_arn = null
      }
    }
    vpc_config = null
  }

  assert {
    condition = jsondecode(module.images_scanner.function.environment[0].variables["IMAGES_SELECTION"]) == {
      tagged_only = false, tag_regexp = null, newest = null, pushed_within = null, pulled_within = null
    }
    error_message = "All images should be selected."
  }

  assert {
    condition = (
      [for function in [module.repositories_scanner.function, module.images_scanner.function] :
        [function.memory_size, function.timeout, function.environment[0].variables["THREADS"]]
      ] == [[256, 300, "16"], [512, 900, "16"]] &&
      aws_lambda_event_source_mapping.images.scaling_config[0].maximum_concurrency == 5
    )
    error_message = "The functions should have the default sizes."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.additional["a"].filter_policy == local.first_part_only &&
      aws_sns_topic_subscription.additional["a"].subscription_role_arn == null
    )
    error_message = "The subscription should have SNS's defaults, and mail the first message only."
  }
}
