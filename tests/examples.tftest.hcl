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
    error_message = "The simple example has the module's defaults."
  }
}

run "complete" {
  command = plan

  module {
    source = "./examples/complete"
  }
}
