# Exactly these actions on exactly these resources, which can be read before anything exists.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "scan"
}

run "functions" {
  command = plan

  assert {
    condition = { for statement in jsondecode(module.repositories_scanner.policy.policy).Statement :
      statement.Sid => "${statement.Effect} ${join(",", statement.Action)} ${join(",", statement.Resource)}"
      } == {
      ListRepositories          = "Allow ecr:DescribeRepositories arn:aws:ecr:eu-central-1:123456789012:repository/*"
      ReadScanningConfiguration = "Allow ecr:GetRegistryScanningConfiguration *"
      QueueRepositories         = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-images"
      ReadRepositoryStates      = "Allow dynamodb:Query arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      RememberRun               = "Allow dynamodb:PutItem arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      RememberRepositories      = "Allow dynamodb:BatchWriteItem arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      WriteLogs = join(" ", [
        "Allow logs:CreateLogStream,logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/scan-repositories-scanner:*",
      ])
    }
    error_message = "The repositories scanner should be allowed to list, queue and remember repositories, and nothing else."
  }

  assert {
    condition = { for statement in jsondecode(module.images_scanner.policy.policy).Statement :
      statement.Sid => "${statement.Effect} ${join(",", statement.Action)} ${join(",", statement.Resource)}"
      } == {
      ReadImagesAndScans        = "Allow ecr:DescribeImages,ecr:DescribeImageScanFindings arn:aws:ecr:eu-central-1:123456789012:repository/*"
      ReadScanningConfiguration = "Allow ecr:GetRegistryScanningConfiguration *"
      ReadImageIndexes          = "Allow ecr:BatchGetImage arn:aws:ecr:eu-central-1:123456789012:repository/*"
      QueueContinuation         = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-images"
      QueueLostEvents           = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      StartScans                = "Allow ecr:StartImageScan arn:aws:ecr:eu-central-1:123456789012:repository/*"
      ReadScans                 = "Allow dynamodb:Query arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      ReadIndexes               = "Allow dynamodb:BatchGetItem arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      RememberScans             = "Allow dynamodb:BatchWriteItem arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory"
      ConsumeImagesQueue = join(" ", [
        "Allow sqs:ReceiveMessage,sqs:DeleteMessage,sqs:GetQueueAttributes", "arn:aws:sqs:eu-central-1:123456789012:scan-images",
      ])
      WriteLogs = join(" ", [
        "Allow logs:CreateLogStream,logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/scan-images-scanner:*",
      ])
    }
    error_message = "The images scanner should be allowed to consume its queue, read images, start and remember scans, and nothing else."
  }

  assert {
    condition = { for statement in jsondecode(module.reporter.policy.policy).Statement :
      statement.Sid => "${statement.Effect} ${join(",", statement.Action)} ${join(",", statement.Resource)}"
      } == {
      ConsumeReportsQueue = join(" ", [
        "Allow sqs:ReceiveMessage,sqs:DeleteMessage,sqs:GetQueueAttributes", "arn:aws:sqs:eu-central-1:123456789012:scan-reports",
      ])
      RetryUnreadFindings  = "Allow sqs:ChangeMessageVisibility arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      QueueReports         = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      QueueFailedOverviews = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports-dlq"
      ListSubscriptions    = "Allow sns:ListSubscriptionsByTopic arn:aws:sns:eu-central-1:123456789012:scan-reports,arn:aws:sns:eu-central-1:123456789012:scan-alarms"
      CountDlqMessages = join(" ", [
        "Allow sqs:GetQueueAttributes",
        "arn:aws:sqs:eu-central-1:123456789012:scan-images-dlq,arn:aws:sqs:eu-central-1:123456789012:scan-reports-dlq",
      ])
      ReadFindings       = "Allow ecr:DescribeImageScanFindings arn:aws:ecr:eu-central-1:123456789012:repository/*"
      NameUntaggedImages = "Allow ecr:DescribeImages,ecr:BatchGetImage arn:aws:ecr:eu-central-1:123456789012:repository/*"
      ReadMemory = join(" ", [
        "Allow dynamodb:GetItem,dynamodb:BatchGetItem,dynamodb:Query", "arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory",
      ])
      WriteMemory = join(" ", [
        "Allow dynamodb:PutItem,dynamodb:UpdateItem,dynamodb:DeleteItem,dynamodb:BatchWriteItem",
        "arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory",
      ])
      PublishReports = "Allow sns:Publish arn:aws:sns:eu-central-1:123456789012:scan-reports"
      WriteLogs = join(" ", [
        "Allow logs:CreateLogStream,logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/scan-reporter:*",
      ])
    }
    error_message = "The reporter should be allowed to consume its queue, read findings, use its memory and publish, and nothing else."
  }
}

run "conditions" {
  command = plan

  assert {
    condition = { for statement in flatten([for function in [module.repositories_scanner, module.images_scanner, module.reporter] :
      jsondecode(function.policy.policy).Statement
      ]) : statement.Sid => statement.Condition if can(statement.Condition) } == {
      RememberRun = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = ["PASSES#123456789012#eu-central-1", "RUNS#123456789012#eu-central-1"]
      } }
      RememberRepositories = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = ["STATES#123456789012#eu-central-1", "SUMMARIES#123456789012#eu-central-1"]
      } }
      RememberScans = { "ForAllValues:StringLike" = {
        "dynamodb:LeadingKeys" = [
          "REPOSITORY#123456789012#eu-central-1#*", "STATES#123456789012#eu-central-1",
          "SUMMARIES#123456789012#eu-central-1",
        ]
      } }
    }
    error_message = "The scanners should write only their own items of this registry: no rules, and no reports that wait to be published."
  }
}

run "queues" {
  command = plan

  assert {
    condition = alltrue([for name, queue in {
      scan-images      = module.images_queue.queue
      scan-images-dlq  = module.images_queue.dlq
      scan-reports     = module.reports_queue.queue
      scan-reports-dlq = module.reports_queue.dlq
      } : jsondecode(queue.policy).Statement[0] == {
      Sid       = "DenyInsecureTransport", Effect = "Deny", Principal = "*", Action = "sqs:*"
      Resource  = "arn:aws:sqs:eu-central-1:123456789012:${name}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }])
    error_message = "All queues should deny insecure transport."
  }

  assert {
    condition = alltrue([for queue in [module.images_queue.queue, module.images_queue.dlq] :
      length(jsondecode(queue.policy).Statement) == 1
    ])
    error_message = "The images queues should allow no principal by themselves."
  }

  assert {
    condition = (
      length(jsondecode(module.reports_queue.queue.policy).Statement) == 3 &&
      alltrue([for sid, rule in { AllowScanEvents = "scan-scan-events", AllowDailyPass = "scan-daily-pass" } :
        contains(jsondecode(module.reports_queue.queue.policy).Statement, {
          Sid       = sid, Effect = "Allow", Principal = { Service = "events.amazonaws.com" }
          Action    = ["sqs:SendMessage"]
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:scan-reports"
          Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-central-1:123456789012:rule/${rule}" } }
        })
      ])
    )
    error_message = "The reports queue should accept scan events and the daily pass from their rules only."
  }

  assert {
    condition = (
      length(jsondecode(module.reports_queue.dlq.policy).Statement) == 3 &&
      alltrue([for sid, rule in { AllowUndeliveredScanEvents = "scan-scan-events", AllowUndeliveredDailyPass = "scan-daily-pass" } :
        contains(jsondecode(module.reports_queue.dlq.policy).Statement, {
          Sid       = sid, Effect = "Allow", Principal = { Service = "events.amazonaws.com" }
          Action    = ["sqs:SendMessage"]
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:scan-reports-dlq"
          Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-central-1:123456789012:rule/${rule}" } }
        })
      ])
    )
    error_message = "The reports DLQ should accept undelivered events from their rules only."
  }
}

run "topic" {
  command = plan

  assert {
    condition = jsondecode(aws_sns_topic.reports[0].policy).Statement == [{
      Sid       = "DenyInsecureTransport", Effect = "Deny", Principal = "*", Action = "sns:Publish"
      Resource  = "arn:aws:sns:eu-central-1:123456789012:scan-reports"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The topic should deny insecure transport and allow no principal by itself."
  }
}

run "chat" {
  command = plan

  variables {
    chat = true
  }

  assert {
    condition = { for statement in jsondecode(module.reporter.policy.policy).Statement :
      statement.Sid => "${statement.Effect} ${join(",", statement.Action)} ${join(",", statement.Resource)}"
      } == {
      ConsumeReportsQueue = join(" ", [
        "Allow sqs:ReceiveMessage,sqs:DeleteMessage,sqs:GetQueueAttributes", "arn:aws:sqs:eu-central-1:123456789012:scan-reports",
      ])
      RetryUnreadFindings  = "Allow sqs:ChangeMessageVisibility arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      QueueReports         = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports"
      QueueFailedOverviews = "Allow sqs:SendMessage arn:aws:sqs:eu-central-1:123456789012:scan-reports-dlq"
      ListSubscriptions    = "Allow sns:ListSubscriptionsByTopic arn:aws:sns:eu-central-1:123456789012:scan-reports,arn:aws:sns:eu-central-1:123456789012:scan-alarms"
      CountDlqMessages = join(" ", [
        "Allow sqs:GetQueueAttributes",
        "arn:aws:sqs:eu-central-1:123456789012:scan-images-dlq,arn:aws:sqs:eu-central-1:123456789012:scan-reports-dlq",
      ])
      ReadFindings       = "Allow ecr:DescribeImageScanFindings arn:aws:ecr:eu-central-1:123456789012:repository/*"
      NameUntaggedImages = "Allow ecr:DescribeImages,ecr:BatchGetImage arn:aws:ecr:eu-central-1:123456789012:repository/*"
      ReadMemory = join(" ", [
        "Allow dynamodb:GetItem,dynamodb:BatchGetItem,dynamodb:Query", "arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory",
      ])
      WriteMemory = join(" ", [
        "Allow dynamodb:PutItem,dynamodb:UpdateItem,dynamodb:DeleteItem,dynamodb:BatchWriteItem",
        "arn:aws:dynamodb:eu-central-1:123456789012:table/scan-memory",
      ])
      PublishReports = "Allow sns:Publish arn:aws:sns:eu-central-1:123456789012:scan-reports,arn:aws:sns:eu-central-1:123456789012:scan-chat"
      WriteLogs = join(" ", [
        "Allow logs:CreateLogStream,logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/scan-reporter:*",
      ])
    }
    error_message = "The reporter should be allowed to publish to the chat topic too, and nothing else."
  }

  assert {
    condition = jsondecode(aws_sns_topic.chat[0].policy).Statement == [{
      Sid       = "DenyInsecureTransport", Effect = "Deny", Principal = "*", Action = "sns:Publish"
      Resource  = "arn:aws:sns:eu-central-1:123456789012:scan-chat"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The chat topic should have the policy of the other topic."
  }
}
