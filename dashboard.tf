# The dashboard, in the order of the questions that bring people to it, and the saved queries that docs/operations.md
# names.

locals {
  # Dashboards are global: without the Region, an instance with the same name in another Region would overwrite this
  # one.
  dashboard_name = "${var.name}-${local.region}"

  dashboard_metrics = { for name in [
    "ScansOverdue", "RunOverdue", "OpenCritical", "OpenHigh", "OldestUnpublished", "LostEvents",
  ] : name => [local.metrics_namespace, name, "Instance", var.name] }

  dashboard_defaults = {
    region = local.region, view = "timeSeries", period = 3600, stat = "Sum", yAxis = { left = { min = 0 } }
  }

  severity_colors = { Critical = "#7b1fa2", High = "#d62728" }

  dashboard_text = join("\n", concat(
    [join(" ", [
      "[What to do about an alarm](${local.operations_page}). Before its commands: `${local.operations_variables}`.",
      "Bars are days, in UTC, and read from the logs.",
    ])],
    local.alarms_without_receiver
    ? ["\n**Nobody receives the alarms**, unless somebody has subscribed to ${local.names.alarms}: set `alarm_email` or `alarm_actions`."]
    : [],
  ))

  # What is in the logs alone: saved queries, as bars of a day each.
  dashboard_queries = { for name in keys(local.queries) : name => {
    type = "log"
    properties = {
      region = local.region
      view   = "bar"
      title  = "${title(substr(name, 0, 1))}${substr(name, 1, -1)}"
      query = join(" | ", concat(
        [for group in local.queries[name].log_groups : "SOURCE '${group}'"], [trimspace(local.queries[name].query)],
      ))
    }
  } }

  # Rows of widgets: each has a height and widgets of equal width in 24 columns.
  dashboard_rows = concat([for _ in module.console_widget : {
    height = 16
    widgets = [{ type = "custom", properties = {
      title    = "Registry"
      endpoint = local.arns.console_widget
      updateOn = { refresh = true, resize = true, timeRange = false }
    } }]
    }], [
    { height = 2, widgets = [{ type = "text", properties = { markdown = local.dashboard_text } }] },
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
          title = "Overdue, days"
          stat  = "Maximum"
          # A run a day leaves gaps in an hourly graph.
          metrics = [
            concat(local.dashboard_metrics.ScansOverdue, [{ id = "scans", visible = false }]),
            concat(local.dashboard_metrics.RunOverdue, [{ id = "run", visible = false }]),
            [{ id = "scans_days", expression = "FILL(scans, REPEAT) / 86400", label = "Scans" }],
            [{ id = "run_days", expression = "FILL(run, REPEAT) / 86400", label = "Run" }],
          ]
        }) },
        local.dashboard_queries["scans by day"],
        { type = "metric", properties = merge(local.dashboard_defaults, {
          title   = "Invocations by day"
          period  = 86400
          metrics = [for name in values(local.alarm_functions) : ["AWS/Lambda", "Invocations", "FunctionName", name]]
        }) },
      ],
    ) },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## Is anything stuck?" } }] },
    { height = 6, widgets = [
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Messages in the DLQs", stat = "Maximum"
        metrics = [for queue in [module.images_queue.dlq.name, module.reports_queue.dlq.name] :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Waiting messages", stat = "Maximum"
        metrics = [for queue in [module.images_queue.queue.name, module.reports_queue.queue.name] :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Oldest message, oldest unpublished report; hours", stat = "Maximum"
        metrics = [
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", module.images_queue.queue.name, { id = "images", visible = false }],
          ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", module.reports_queue.queue.name, { id = "reports", visible = false }],
          concat(local.dashboard_metrics.OldestUnpublished, [{ id = "unpublished", visible = false }]),
          [{ id = "images_hours", expression = "images / 3600", label = module.images_queue.queue.name }],
          [{ id = "reports_hours", expression = "reports / 3600", label = module.reports_queue.queue.name }],
          [{ id = "unpublished_hours", expression = "FILL(unpublished, REPEAT) / 3600", label = "Not published" }],
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Errors and throttles"
        metrics = [for pair in setproduct(["Errors", "Throttles"], values(local.alarm_functions)) :
          ["AWS/Lambda", pair[0], "FunctionName", pair[1], { label = "${pair[0]} ${pair[1]}" }]
        ]
      }) },
    ] },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## What did it find?" } }] },
    { height = 6, widgets = [
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Open findings now", view = "singleValue", sparkline = true, stat = "Maximum", period = 86400
        metrics = [for severity in ["Critical", "High"] :
          concat(local.dashboard_metrics["Open${severity}"], [{ color = local.severity_colors[severity], label = severity }])
        ]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title = "Open findings", stat = "Maximum"
        metrics = concat(
          [for severity in ["Critical", "High"] :
            concat(local.dashboard_metrics["Open${severity}"], [{ id = lower(severity), visible = false }])
          ],
          [for severity in ["Critical", "High"] : [{
            id         = "${lower(severity)}_filled"
            expression = "FILL(${lower(severity)}, REPEAT)"
            label      = severity
            color      = local.severity_colors[severity]
          }]],
        )
      }) },
      local.dashboard_queries["new findings by day"],
      local.dashboard_queries["events and reports by day"],
    ] },
    { height = 1, widgets = [{ type = "text", properties = { markdown = "## What was skipped, refused or lost?" } }] },
    { height = 6, widgets = [
      local.dashboard_queries["skipped images by day"],
      local.dashboard_queries["refused calls by day"],
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title  = "SNS: messages that could not be delivered, by day"
        period = 86400
        metrics = [for topic in concat(
          [local.reports_topic_name], aws_sns_topic.chat[*].name, aws_sns_topic.alarms[*].name,
        ) : ["AWS/SNS", "NumberOfNotificationsFailed", "TopicName", topic]]
      }) },
      { type = "metric", properties = merge(local.dashboard_defaults, {
        title   = "Scans whose events never came, by day"
        period  = 86400
        stat    = "Maximum"
        metrics = [local.dashboard_metrics.LostEvents]
      }) },
    ] },
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.create_dashboard ? 1 : 0

  dashboard_name = local.dashboard_name

  # A week, in which numbers of a day make a line, and each graph with its own period.
  dashboard_body = jsonencode({
    start          = "-PT168H"
    periodOverride = "inherit"
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
    { for function in module.catalog_reader : "catalog_reader" => function.log_group.name },
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
        fields @timestamp, run, found, sent, OldestScanAge / 86400 as oldest_scan_days, OpenCritical, OpenHigh, OpenMedium, OpenLow
        | filter message = "repositories queued"
        | sort @timestamp desc
        | limit 100
      EOT
    }
    "scans by day" = {
      log_groups = [local.log_groups.images_scanner]
      query      = <<-EOT
        filter message = "repository processed"
        | stats sum(ImagesSeen) as seen, sum(ScansStarted) as started, sum(ImagesFailed) as failed by bin(1d)
      EOT
    }
    "skipped images by day" = {
      log_groups = [local.log_groups.images_scanner]
      query      = <<-EOT
        filter message = "repository processed"
        | stats sum(SkippedScannedRecently) as in_time, sum(SkippedNotSelected) as not_selected,
            sum(SkippedUnsupported) as unsupported, sum(SkippedArchived) as archived, sum(SkippedOther) as others by bin(1d)
      EOT
    }
    "refused calls by day" = {
      log_groups = [local.log_groups.images_scanner]
      query      = <<-EOT
        filter message = "repository processed"
        | stats sum(Throttled) as throttled, sum(QuotaReached) as quota_reached, sum(MemoryUnavailable) as no_memory by bin(1d)
      EOT
    }
    "new findings by day" = {
      log_groups = [local.log_groups.reporter]
      query      = <<-EOT
        filter message = "batch processed"
        | stats sum(NewCritical) as critical, sum(NewHigh) as high, sum(NewMedium) as medium, sum(NewLow) as low by bin(1d)
      EOT
    }
    "events and reports by day" = {
      log_groups = [local.log_groups.reporter]
      query      = <<-EOT
        filter message = "batch processed"
        | stats sum(EventsProcessed) as scan_events, sum(ReportsPublished) as messages by bin(1d)
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
