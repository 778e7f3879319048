# Values that Terraform does not know at plan, because they come from other resources: plan and apply.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "plan" {
  command = plan

  module {
    source = "./tests/unknown_values"
  }
}

run "plan_with_an_existing_topic" {
  command = plan

  module {
    source = "./tests/unknown_values"
  }

  variables {
    existing_topic = true
  }
}

run "apply" {
  module {
    source = "./tests/unknown_values"
  }

  assert {
    condition     = output.module.reporter_function_name == "unknown-reporter"
    error_message = "The values should arrive."
  }
}
