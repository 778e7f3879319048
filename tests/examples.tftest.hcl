# Applies the examples with their own defaults, to mocks.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "simple" {
  module {
    source = "./examples/simple"
  }

  assert {
    condition     = output.function_names.reporter == "ecr-scan-reporter-reporter"
    error_message = "The simple example should have the module's defaults."
  }
}

run "complete" {
  module {
    source = "./examples/complete"
  }
}
