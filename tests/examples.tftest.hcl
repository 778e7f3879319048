# The examples plan with nothing but what they ask for.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "simple" {
  command = plan

  module {
    source = "./examples/simple"
  }

  assert {
    condition     = output.function_names.reporter == "ecr-scan-reporter-reporter"
    error_message = "The simple example should have the module's defaults."
  }
}

run "simple_with_a_window" {
  command = plan

  module {
    source = "./examples/simple"
  }

  variables {
    report_window = 5
  }

  assert {
    condition     = module.ecr_scan_reporter.reports_queue_name == "ecr-scan-reporter-reports"
    error_message = "The simple example should pass the window on."
  }
}

run "complete" {
  command = plan

  module {
    source = "./examples/complete"
  }
}
