# Checks where and as whom the functions run: architecture, VPC, tracing, log level and the path of the roles.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "defaults" {
  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.architectures == tolist(["arm64"]) &&
      length(function.function.vpc_config) == 0 &&
      function.function.tracing_config[0].mode == "PassThrough" &&
      function.function.logging_config[0].application_log_level == "INFO" &&
      function.role.path == "/"
    ])
    error_message = "The functions should run on arm64, outside of a VPC, without traces, with logs from INFO."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      !strcontains(function.policy.policy, "xray:") && !strcontains(function.policy.policy, "ec2:")
    ])
    error_message = "No role should have permissions for traces or for a network."
  }
}

run "all_set" {
  variables {
    architecture = "x86_64"
    vpc_config   = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
    tracing      = true
    log_level    = "DEBUG"
    role_path    = "/security/scanning/"

    exclusive_role_policies = true
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      function.function.architectures == tolist(["x86_64"]) &&
      function.function.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) &&
      function.function.vpc_config[0].security_group_ids == toset(["sg-1"]) &&
      function.function.tracing_config[0].mode == "Active" &&
      function.function.logging_config[0].application_log_level == "DEBUG" &&
      function.role.path == "/security/scanning/"
    ])
    error_message = "All functions should have the inputs."
  }

  assert {
    condition     = local.function_settings.exclusive_policies
    error_message = "The roles of all functions should have their own policies only."
  }

  assert {
    condition = alltrue([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      [for statement in jsondecode(function.policy.policy).Statement :
        statement if contains(["WriteTraces", "UseNetwork", "DenyNetworkToCode"], statement.Sid)
        ] == [
        {
          Sid      = "UseNetwork", Effect = "Allow"
          Resource = ["*"]
          Action = [
            "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
          ]
        },
        {
          Sid      = "WriteTraces", Effect = "Allow"
          Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
          Resource = ["*"]
        },
        {
          Sid      = "DenyNetworkToCode", Effect = "Deny"
          Resource = ["*"]
          Action = [
            "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
          ]
          Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:*:lambda:*:*:function:${function.function.function_name}" } }
        },
      ]
    ])
    error_message = "Every role should be allowed to write traces and to manage its network interfaces, the latter not to the code."
  }
}

run "rejects_unknown_architecture" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "rejects_vpc_without_subnets" {
  command = plan

  variables {
    vpc_config = { subnet_ids = [], security_group_ids = ["sg-1"] }
  }

  expect_failures = [var.vpc_config]
}

run "rejects_vpc_without_security_groups" {
  command = plan

  variables {
    vpc_config = { subnet_ids = ["subnet-1"], security_group_ids = [] }
  }

  expect_failures = [var.vpc_config]
}

run "rejects_vpc_with_null" {
  command = plan

  variables {
    vpc_config = { subnet_ids = null, security_group_ids = ["sg-1"] }
  }

  expect_failures = [var.vpc_config]
}

run "rejects_level_that_drops_the_metrics" {
  command = plan

  variables {
    log_level = "WARN"
  }

  expect_failures = [var.log_level]
}

run "rejects_level_in_lower_case" {
  command = plan

  variables {
    log_level = "info"
  }

  expect_failures = [var.log_level]
}

run "rejects_path_without_slash_at_its_end" {
  command = plan

  variables {
    role_path = "/security"
  }

  expect_failures = [var.role_path]
}

run "rejects_path_without_slash_at_its_beginning" {
  command = plan

  variables {
    role_path = "security/"
  }

  expect_failures = [var.role_path]
}

run "rejects_path_of_513_characters" {
  command = plan

  variables {
    role_path = "/${format("%0511d", 0)}/"
  }

  expect_failures = [var.role_path]
}
