# The dashboard, in the order of the questions that bring people to it, and the saved queries that docs/operations.md
# names.

locals {
  # Dashboards are global: without the Region, an instance with the same name in another Region would overwrite this
  # one.
  dashboard_name = "${var.name}-${local.region}"

  dashboard_metrics = { for name in [
    "RepositoriesQueued", "OldestScanAge", "ScansOverdue", "RunOverdue", "ImagesSeen", "ScansStarted", "ImagesFailed",
    "Throttled", "QuotaReached", "EventsProcessed", "ReportsPublished", "NewCritical", "NewHigh", "NewMedium", "NewLow",
    "OpenCritical", "OpenHigh", "OpenMedium", "OpenLow", "SkippedScannedRecently", "SkippedNotSelected",
    "SkippedUnsupported", "SkippedArchived", "SkippedOther", "MemoryUnavailable",
  ] : name => [local.metrics_namespace, name, "Instance", var.name] }

  dashboard_defaults = { region = local.region, view = "timeSeries", period = 3600, stat = "Sum" }

  severity_colors = { Critical = "#7b1fa2", High = "#d62728", Medium = "#ff7f0e", Low = "#bcbd22" }

  # Rows of widgets: each has a height and widgets of equal width in 24 columns.
  dashboard_rows = concat([for _ in module.console_widget : {
    height = 16
    widgets = [{ type = "custom", properties = {
      title    = "Registry"
      endpoint = local.arns.console_widget
      updateOn = { refresh = true, resize = true, timeRange = false }
    } }]
    }], [
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## Is it running?" } }] },
    { height = 6, widgets = concat(
      length(local.alarms) == 0 ? [] : [{
        type = "alarm"
        properties = {
          title = "Alarms"
          alarms = [for key in sort(keys(local.alarms)) :
            "${local.arn_prefixes.cloudwatch}:alarm:${aws_cloudwatch_metric_alarm.this[key].alarm_name}"
          ]
        }
      }],
      [
        { type = "metric", properties = merge(local.dashboard_defaults, {
          title = "Age of the oldest scan; scans and runs overdue; days"
          stat  = "Maximum"
          # A run a day leaves gaps in an hourly graph.
          metrics = [
            concat(local.dashboard_metrics.OldestScanAge, [{ id = "age", visible = false }]),
            concat(local.dashboard_metrics.ScansOverdue, [{ id = "scans", visible = false }]),
            concat(local.dashboard_metrics.RunOverdue, [{ id = "run", visible = false }]),
            [{ id = "age_days", expression = "FILL(age, REPEAT) / 86400", label = "Oldest scan" }],
            [{ id = "scans_days", expression = "FILL(scans, REPEAT) / 86400", label = "Scans overdue" }],
            [{ id = "run_days", expression = "FILL(run, REPEAT) / 86400", label = "Run overdue" }],
          ]
        }) },
        { type = "metric", properties = merge(local.dashboard_defaults, {
          title   = "Repositories queued, images seen, scans started"
          metrics = [for name in ["RepositoriesQueued", "ImagesSeen", "ScansStarted"] : local.dashboard_metrics[name]]
        }) },
        { type = "metric", properties = merge(local.dashboard_defaults, {
          title   = "Invocations"
          metrics = [for name in values(local.alarm_functions) : ["AWS/Lambda", "Invocations", "FunctionName", name]]
        }) },
      ],
    ) },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## Is anything stuck?" } }] },
    { height = 6, widgets = [
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Messages in the DLQs", stat = "Maximum", period = 300
        metrics = [for queue in [module.images_queue.dlq.name, module.reports_queue.dlq.name] :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Waiting messages", stat = "Maximum", period = 300
        metrics = [for queue in [module.images_queue.queue.name, module.reports_queue.queue.name] :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Age of the oldest message, seconds", stat = "Maximum", period = 300
        metrics = [for queue in [module.images_queue.queue.name, module.reports_queue.queue.name] :
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title   = "Errors"
        metrics = [for name in values(local.alarm_functions) : ["AWS/Lambda", "Errors", "FunctionName", name]]
      }) },
    ] },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## What did it find?" } }] },
    { height = 6, widgets = [
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Open findings", stat = "Maximum"
        metrics = [for severity in ["Critical", "High", "Medium", "Low"] :
          concat(local.dashboard_metrics["Open${severity}"], [{ color = local.severity_colors[severity] }])
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "New findings"
        metrics = [for severity in ["Critical", "High", "Medium", "Low"] :
          concat(local.dashboard_metrics["New${severity}"], [{ color = local.severity_colors[severity] }])
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title   = "Scan events processed, reports published"
        metrics = [local.dashboard_metrics.EventsProcessed, local.dashboard_metrics.ReportsPublished]
      }) },
    ] },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## What was skipped or refused?" } }] },
    { height = 6, widgets = [
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Images skipped, by reason"
        metrics = [for reason in ["ScannedRecently", "NotSelected", "Unsupported", "Archived", "Other"] :
          concat(local.dashboard_metrics["Skipped${reason}"], [{ label = reason }])
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "ECR: throttled, quota reached, images failed; memory unavailable"
        metrics = [for name in ["Throttled", "QuotaReached", "ImagesFailed", "MemoryUnavailable"] :
          local.dashboard_metrics[name]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title   = "Lambda: throttles"
        metrics = [for name in values(local.alarm_functions) : ["AWS/Lambda", "Throttles", "FunctionName", name]]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "SNS: messages that could not be delivered"
        metrics = [for topic in concat(
          [local.reports_topic_name], aws_sns_topic.chat[*].name, aws_sns_topic.alarms[*].name,
        ) : ["AWS/SNS", "NumberOfNotificationsFailed", "TopicName", topic]]
      }) },
    ] },
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = local.dashboard_name

  dashboard_body = jsonencode({
    widgets = flatten([for row, line in local.dashboard_rows : [for column, widget in line.widgets : merge(widget, {
      x      = column * 24 / length(line.widgets)
      y      = sum(concat([0], [for above in slice(local.dashboard_rows, 0, row) : above.height]))
      width  = 24 / length(line.widgets)
      height = line.height
    })]])
  })

  depends_on = [aws_dynamodb_table.memory]
}

locals {
  log_groups = merge(
    {
      repositories_scanner = module.repositories_scanner.log_group.name
      images_scanner       = module.images_scanner.log_group.name
      reporter             = module.reporter.log_group.name
    },
    { for function in module.console_widget : "console_widget" => function.log_group.name },
  )

  # Keyed by the names that docs/operations.md uses.
  queries = {
    "errors and warnings" = {
      log_groups = values(local.log_groups)
      query      = <<-EOT
        fields @timestamp, @log, level, message, reason, errorMessage, type, record.status, record.errorType
        | filter level like /WARN|ERROR|CRITICAL/ or isPresent(errorMessage) or type like /^platform/
        | sort @timestamp desc
        | limit 200
      EOT
    }
    "runs" = {
      log_groups = [local.log_groups.repositories_scanner]
      query      = <<-EOT
        fields @timestamp, run, found, sent
        | filter message = "repositories queued"
        | sort @timestamp desc
        | limit 100
      EOT
    }
    "images that could not be scanned" = {
      log_groups = [local.log_groups.images_scanner]
      query      = <<-EOT
        filter message = "image failed"
        | stats count(*) as failures, latest(detail) as last_detail, latest(@timestamp) as last
            by repository, digest, reason
        | sort failures desc
        | limit 200
      EOT
    }
    "refused by ECR" = {
      log_groups = [local.log_groups.images_scanner]
      query      = <<-EOT
        fields @timestamp, message, repository, reason, interrupted
        | filter message in ["daily quota of scans exceeded", "manual scanning is disabled"] or isPresent(interrupted)
        | sort @timestamp desc
        | limit 200
      EOT
    }
    "messages that failed" = {
      log_groups = [local.log_groups.images_scanner, local.log_groups.reporter]
      query      = <<-EOT
        fields @timestamp, @log, message, repository, digest, message_id, reason
        | filter level like /ERROR/
            and message in ["message failed", "invalid message", "image not processed; the message is retried"]
        | sort @timestamp desc
        | limit 200
      EOT
    }
    "reports that were not published" = {
      log_groups = [local.log_groups.reporter]
      query      = <<-EOT
        fields @timestamp, message, topic, reason
        | filter message in ["report not published", "report not queued", "could not publish an overview",
            "could not check what is to be published"]
        | sort @timestamp desc
        | limit 200
      EOT
    }
  }
}

# A slash makes a folder: the queries of an instance are listed together.
resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name            = "${var.name}/${each.key}"
  log_group_names = each.value.log_groups
  query_string    = each.value.query
}
