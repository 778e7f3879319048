mock_provider "aws" {
  source = "./tests/mocks"
}

run "defaults" {
  command = plan

  assert {
    condition = (
      [for function in [module.repositories_scanner.function, module.images_scanner.function, module.reporter.function] :
        [function.memory_size, function.timeout, function.reserved_concurrent_executions]
      ] == [[256, 300, -1], [512, 900, -1], [512, 300, -1]]
    )
    error_message = "Memory and timeout should be the documented defaults, without reserved concurrency."
  }

  assert {
    condition = length(distinct([
      module.repositories_scanner.function.handler, module.images_scanner.function.handler, module.reporter.function.handler,
      ])) == 3 && alltrue([for handler in [
      module.repositories_scanner.function.handler, module.images_scanner.function.handler, module.reporter.function.handler,
      ] :
      fileexists("lambda_src/${replace(trimsuffix(handler, ".handler"), ".", "/")}.py")
    ])
    error_message = "Each function should have a handler of its own that the package contains."
  }
}

run "sizes" {
  command = plan

  variables {
    functions = {
      repositories_scanner = { memory = 128, timeout = 1, concurrency = 1 }
      images_scanner       = { memory = 512, timeout = 100, concurrency = 2 }
      reporter             = { memory = 10240, timeout = 900, concurrency = 1000 }
    }
  }

  assert {
    condition = (
      [for function in [module.repositories_scanner.function, module.images_scanner.function, module.reporter.function] :
        [function.memory_size, function.timeout, function.reserved_concurrent_executions]
      ] == [[128, 1, 1], [512, 100, -1], [10240, 900, -1]]
    )
    error_message = "Each function should have the given size."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.images.scaling_config[0].maximum_concurrency == 2 &&
      aws_lambda_event_source_mapping.reports.scaling_config[0].maximum_concurrency == 1000
    )
    error_message = "Concurrency of a function with a queue should be that of its event source mapping."
  }

  assert {
    condition = (
      module.images_queue.queue.visibility_timeout_seconds == 600 && module.reports_queue.queue.visibility_timeout_seconds == 5420
    )
    error_message = "The visibility timeouts should follow the timeouts of the functions."
  }
}

run "part_of_the_sizes" {
  command = plan

  variables {
    functions = { images_scanner = { memory = 1024 } }
  }

  assert {
    condition = (
      [module.images_scanner.function.memory_size, module.images_scanner.function.timeout, module.reporter.function.memory_size]
      == [1024, 900, 512]
    )
    error_message = "Attributes that are not set should keep their defaults."
  }
}
