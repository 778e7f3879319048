# The alarms, which watch everything else. They report to a topic of their own: what watches the reports must not depend
# on the topic of the reports. Each description links to the section of docs/operations.md that says what to do.

locals {
  metrics_namespace = "EcrScanReporter"

  # The first heading of the changelog is the version that is installed, or "Unreleased". try(): a private registry may
  # leave the file out.
  release = try("v${regex("^[^#]*# Changelog[^#]*## \\[?([0-9]+[.][0-9]+[.][0-9]+)", file("${path.module}/CHANGELOG.md"))[0]}", "main")

  # A link, because whoever gets an alarm may have never seen this repository.
  operations_page = "https://github.com/OWNER/terraform-aws-ecr-scan-reporter/blob/${local.release}/docs/operations.md"
  # What the commands on that page need.
  operations_variables = "export NAME=${var.name} AWS_REGION=${local.region}"

  alarm_functions = merge(
    {
      repositories_scanner = module.repositories_scanner.function.function_name
      images_scanner       = module.images_scanner.function.function_name
      reporter             = module.reporter.function.function_name
    },
    { for function in module.console_widget : "console_widget" => function.function.function_name },
    { for function in module.catalog_reader : "catalog_reader" => function.function.function_name },
  )

  alarm_defaults = {
    period            = 300
    periods           = 1
    missing           = "notBreaching"
    insufficient_data = false
    applicable        = true
    detailed          = false
  }

  # These functions repeat what fails until it is in a DLQ, or what they write is old, which has an alarm; or whoever
  # looks at them sees the error.
  repeated_functions = ["images_scanner", "reporter", "console_widget", "catalog_reader"]

  all_alarms = merge(
    {
      # SQS stops measuring a queue that nobody uses. "ignore" keeps the alarm until the messages are gone.
      images_dlq = merge(local.alarm_defaults, {
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", threshold = 0
        dimensions = { QueueName = module.images_queue.dlq.name }
        missing    = "ignore"
        section    = "images-dlq"
        waits      = "the message stays for 14 days."
        text = join(" ", [
          "The images scanner failed five times on a repository, whose images are not scanned.",
          "Read its errors, then redrive.",
        ])
      })
      reports_dlq = merge(local.alarm_defaults, {
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", threshold = 0
        dimensions = { QueueName = module.reports_queue.dlq.name }
        missing    = "ignore"
        section    = "reports-dlq"
        waits      = "the message stays for 14 days."
        text = join(" ", [
          "The reporter failed five times on a scan event or an export, EventBridge could not deliver one, or an overview failed",
          "three times. Read the reporter's errors, then redrive. Do not redrive a record whose requestPayload has",
          "\"overview\": true: delete it, and invoke the reporter with {\"overview\": true}.",
        ])
      })
      # Such an event is in no queue. EventBridge writes the metric only when that happens.
      events_lost = merge(local.alarm_defaults, {
        namespace  = "AWS/Events", metric = "InvocationsFailedToBeSentToDlq", statistic = "Sum", threshold = 0
        dimensions = { RuleName = aws_cloudwatch_event_rule.scan_events.name }
        section    = "events-lost"
        waits      = "a run finds the result in ECR."
        text = join(" ", [
          "EventBridge could deliver a scan event neither to the reports queue nor to its DLQ: the event is lost.",
          "See whether the policies of the queues and of the KMS key allow EventBridge.",
        ])
      })
      # A run that still waits in the queue when the next one starts is not done in time.
      images_queue_age = merge(local.alarm_defaults, {
        namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum"
        threshold  = max(local.run_interval_seconds, module.images_queue.retry_seconds)
        dimensions = { QueueName = module.images_queue.queue.name }
        section    = "queue-age"
        waits      = "SQS keeps the messages for four days."
        text = join(" ", [
          "A repository has waited in the queue for longer than the time between two runs.",
          "See whether the images scanner runs, fails or is throttled.",
        ])
      })
      reports_queue_age = merge(local.alarm_defaults, {
        namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum", threshold = 3600
        dimensions = { QueueName = module.reports_queue.queue.name }
        section    = "queue-age"
        waits      = "SQS keeps the events for four days. Until then nobody hears of what they found."
        text = join(" ", [
          "A scan event has waited to be reported for more than an hour.",
          "See whether the reporter runs, fails or is throttled.",
        ])
      })
      # The reporter writes it whenever it looks for what is due: at least every 15 minutes while something waits.
      unpublished = merge(local.alarm_defaults, {
        namespace  = local.metrics_namespace, metric = "OldestUnpublished", statistic = "Maximum", threshold = 3600
        dimensions = { Instance = var.name }
        missing    = "ignore"
        section    = "unpublished"
        waits      = "nothing is lost for 60 days. Until it is published, nobody hears of what it says."
        text = join(" ", [
          "A report has been due for more than an hour, and is not published.",
          "See whether its topic exists, and whether the reporter may publish to it.",
        ])
      })
      # The reporter writes it when it finds a lost event: how many there were in the time of two scans of each image.
      # AWS promises none of its events, so one alone is no alarm. It stays for a day after the last one was found.
      missing_events = merge(local.alarm_defaults, {
        namespace  = local.metrics_namespace, metric = "LostEvents", statistic = "Maximum", threshold = 1
        period     = 86400
        dimensions = { Instance = var.name }
        section    = "missing-events"
        waits      = "what they found is reported late."
        text = join(" ", [
          "No events came of several scans: the images scanner found their results in ECR.",
          "See whether the rule ${local.names.scan_events} is enabled, and whether the policies of the reports queue and of",
          "its key allow EventBridge.",
        ])
      })
      overdue_scans = merge(local.alarm_defaults, {
        namespace  = local.metrics_namespace, metric = "ScansOverdue", statistic = "Maximum", threshold = 0
        period     = 3600
        dimensions = { Instance = var.name }
        # Written by each run. Between two runs, the alarm keeps its state.
        missing = "ignore"
        section = "overdue-scans"
        waits   = "the next run tries again."
        text = join(" ", [
          "The oldest scan is older than ${var.images_duration_delta} plus one run: an image was not scanned in time.",
          "See whether ECR's quota is exhausted, or scans fail.",
        ])
      })
      # Silence: no run was complete when one was due. An alarm that counts runs cannot watch a weekly schedule:
      # CloudWatch looks back seven days at most, and a run that is a minute late leaves seven days without a run. So
      # this alarm reads a number that the heartbeat writes between the runs: for how many seconds the next complete run
      # is overdue. It is over zero for any reason: a rule that someone disabled, a function that fails, a schedule that
      # never fires. Three hours of data are enough to evaluate it, so no limit of CloudWatch matters.
      #
      # If the heartbeat is missing too, the alarm goes to INSUFFICIENT_DATA, which has the same actions. Treating
      # missing data as breaching, or filling it with FILL, would fire after every installation, before the first
      # heartbeat. INSUFFICIENT_DATA does not: it is the state in which an alarm begins, and only a change of state
      # triggers actions.
      silence = merge(local.alarm_defaults, {
        namespace  = local.metrics_namespace, metric = "RunOverdue", statistic = "Minimum", threshold = 0
        period     = 60 * local.heartbeat_minutes, periods = 3
        dimensions = { Instance = var.name }
        missing    = "missing"
        # Paused on purpose: the rules are disabled, and no run is due.
        applicable        = var.enabled
        insufficient_data = true
        section           = "silence"
        waits             = "nothing is lost; images go without a new scan."
        text = join(" ", [
          "No run was complete when one was due, or the heartbeat is missing (INSUFFICIENT_DATA).",
          "See whether the rules are enabled and the repositories scanner fails.",
        ])
      })
      # EventBridge writes the metric only when the rule starts something, so the alarm goes to INSUFFICIENT_DATA when
      # the rule has not for two days, and never fires. A pass that starts and fails is in the DLQ. An alarm begins in
      # INSUFFICIENT_DATA, and only a change of state triggers actions: nothing happens before the first pass.
      missing_pass = merge(local.alarm_defaults, {
        namespace  = "AWS/Events", metric = "Invocations", statistic = "Sum", threshold = 1000
        period     = 86400, periods = 2
        dimensions = { RuleName = aws_cloudwatch_event_rule.daily_pass.name }
        missing    = "missing"
        # Paused on purpose, as above.
        applicable        = var.enabled
        insufficient_data = true
        section           = "missing-pass"
        waits             = "the next pass finds what was missed."
        text = join(" ", [
          "No daily pass has started for two days (INSUFFICIENT_DATA): deadlines that pass, and rules that end, are not",
          "reported. See whether the rule is enabled.",
        ])
      })
      # The catalog reader writes it once a day. So on the third day without a good copy, or if it is not started at
      # all, for any reason (INSUFFICIENT_DATA).
      catalog_age = merge(local.alarm_defaults, {
        namespace  = local.metrics_namespace, metric = "CatalogAge", statistic = "Maximum", threshold = 129600
        period     = 86400, periods = 2
        dimensions = { Instance = var.name }
        missing    = "missing"
        # Paused on purpose, as above.
        applicable        = var.enabled && var.known_exploited
        insufficient_data = true
        section           = "catalog-age"
        waits             = "the last copy counts, and what was added since is reported later."
        text = join(" ", [
          "The catalog of known exploited vulnerabilities was not read for days: what was added to it is not reported.",
          "Read the log of the catalog reader, which says why.",
        ])
      })
    },
    { for key, function in local.alarm_functions : "${key}_errors" => merge(local.alarm_defaults, {
      namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 0
      dimensions = { FunctionName = function }
      section    = "errors"
      detailed   = contains(local.repeated_functions, key)
      waits      = key == "repositories_scanner" ? "the next run does what this one did not." : "nothing is lost."
      text = join(" ", [
        "An invocation of ${function} raised an exception or ran out of time.",
        key == "console_widget" ? "The dashboard's widget shows an error." : "It is retried.",
        "Read the errors if the alarm stays or comes back.",
      ])
    }) },
    # If it stays so, a queue or the silence has an alarm, too. For longer than a run of the repositories scanner, which
    # throttles a second run if its concurrency is 1.
    { for key, function in local.alarm_functions : "${key}_throttles" => merge(local.alarm_defaults, {
      namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum", threshold = 0, periods = 4
      dimensions = { FunctionName = function }
      section    = "throttles"
      detailed   = true
      waits      = "nothing is lost for four days."
      text = join(" ", [
        "Lambda has rejected invocations of ${function} for 20 minutes.",
        "See whether the account's concurrency is used up.",
      ])
    }) },
  )

  # What disabled_alarms may name; also the alarms of the widget's function while there is none.
  alarm_keys = distinct(concat(keys(local.all_alarms), [
    for pair in setproduct(["console_widget", "catalog_reader"], ["errors", "throttles"]) : join("_", pair)
  ]))
  alarms = { for key, alarm in local.all_alarms : key => alarm
    if var.create_alarms && alarm.applicable && !contains(var.disabled_alarms, key) && (var.detailed_monitoring || !alarm.detailed)
  }
  alarm_actions = concat(aws_sns_topic.alarms[*].arn, var.alarm_actions)

  # Whoever sets neither may subscribe to the topic by other means, so this is no error.
  alarms_without_receiver = var.create_alarms && var.alarm_email == null && length(var.alarm_actions) == 0
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name = "${var.name}-${replace(each.key, "_", "-")}"
  alarm_description = join("\n", [
    each.value.text,
    "It can wait until the morning: ${each.value.waits}",
    "For the commands on the page: ${local.operations_variables}",
    "What to do: ${local.operations_page}#${each.value.section}",
  ])
  namespace                 = each.value.namespace
  metric_name               = each.value.metric
  dimensions                = each.value.dimensions
  statistic                 = each.value.statistic
  period                    = each.value.period
  evaluation_periods        = each.value.periods
  threshold                 = each.value.threshold
  comparison_operator       = "GreaterThanThreshold"
  treat_missing_data        = each.value.missing
  alarm_actions             = local.alarm_actions
  ok_actions                = local.alarm_actions
  insufficient_data_actions = each.value.insufficient_data ? local.alarm_actions : []
  tags                      = var.tags
}
