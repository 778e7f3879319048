# Checks the dashboard and the saved queries.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name = "scan"
}

run "dashboard" {
  command = plan

  assert {
    condition     = aws_cloudwatch_dashboard.this[0].dashboard_name == "scan-eu-central-1" && output.dashboard_name == "scan-eu-central-1"
    error_message = "The name should carry the Region, because dashboards are global."
  }

  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.properties.markdown if widget.type == "text" && startswith(try(widget.properties.markdown, ""), "##")
    ] == ["## Is it running?", "## Is anything stuck?", "## What did it find?", "## What was skipped, refused or lost?"]
    error_message = "The dashboard should answer these questions in this order."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[0].properties.markdown == join("", [
      "[What to do about an alarm](${local.operations_page}). ",
      "Before its commands: `export NAME=scan AWS_REGION=eu-central-1`. Bars are days, in UTC, and read from the logs.\n\n",
      "**Nobody receives the alarms**, unless somebody has subscribed to scan-alarms: set `alarm_email` or `alarm_actions`.",
    ])
    error_message = "The dashboard should begin with the runbook, and say that nobody receives the alarms."
  }

  # A number of a day is a line in a week; the console would make periods of its own.
  assert {
    condition = [for name in ["start", "periodOverride"] :
      jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body)[name]
    ] == ["-PT168H", "inherit"]
    error_message = "The dashboard should show a week, with the period of each graph."
  }

  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.properties.title => substr(widget.properties.query, 0, 41) if widget.type == "log"
      } == {
      "Scans by day"              = "SOURCE '/aws/lambda/scan-images-scanner' "
      "Skipped images by day"     = "SOURCE '/aws/lambda/scan-images-scanner' "
      "Refused calls by day"      = "SOURCE '/aws/lambda/scan-images-scanner' "
      "New findings by day"       = "SOURCE '/aws/lambda/scan-reporter' | filt"
      "Events and reports by day" = "SOURCE '/aws/lambda/scan-reporter' | filt"
    }
    error_message = "What is no metric should be read from the log."
  }

  # Every cell of the grid is covered once: each row of widgets fills its 24 columns, and rows follow each other.
  assert {
    condition = (
      sum([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.width * widget.height]) == 24 * 30 &&
      length(distinct(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [
        for cell in setproduct(range(widget.width), range(widget.height)) : "${widget.x + cell[0]},${widget.y + cell[1]}"
      ]]))) == 24 * 30 &&
      alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
        widget.x + widget.width <= 24 && widget.y + widget.height <= 30
      ])
    )
    error_message = "The widgets should fill the grid without gaps and without overlaps."
  }

  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.properties.region == "eu-central-1" if widget.type == "metric"
    ])
    error_message = "Every graph should show its own Region, whatever Region the console shows."
  }

  assert {
    condition = toset([for metric in flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : [
        for metric in widget.properties.metrics : join(" ", slice(metric, 0, 4)) if length(metric) > 1
      ] if widget.type == "metric"
      ]) : replace(metric, "EcrScanReporter ", "") if startswith(metric, "EcrScanReporter ")]) == toset([
      for name in [
        "ScansOverdue", "RunOverdue", "OpenCritical", "OpenHigh", "OldestUnpublished", "LostEvents",
      ] : "${name} Instance scan"
    ])
    error_message = "The dashboard should show the metrics that there always are, by instance."
  }

  assert {
    condition = [for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      [for metric in widget.properties.metrics : metric[3]] if try(widget.properties.title, "") == "SNS: messages that could not be delivered, by day"
    ] == [["scan-reports", "scan-alarms"]]
    error_message = "The dashboard should show what SNS could not deliver, by topic."
  }

  assert {
    condition = one([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      widget.properties.alarms if widget.type == "alarm"
      ]) == [for alarm in values(aws_cloudwatch_metric_alarm.this) :
      "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:${alarm.alarm_name}"
    ]
    error_message = "The dashboard should show all alarms."
  }
}

run "dashboard_without_alarms" {
  variables {
    create_alarms = false
    chat          = true
  }

  assert {
    condition = (
      length([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget if widget.type == "alarm"]) == 0 &&
      sum([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.width * widget.height]) == 24 * 30
    )
    error_message = "Without alarms, the other widgets should fill the row."
  }
}

run "without_dashboard" {
  command = plan

  variables {
    create_dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.this) == 0 && output.dashboard_name == null
    error_message = "There should be no dashboard."
  }
}

run "queries" {
  assert {
    condition     = alltrue([for name, query in aws_cloudwatch_query_definition.this : query.name == "scan/${name}"])
    error_message = "The queries of an instance should be in a folder of its name."
  }

  assert {
    condition = alltrue([for name in keys(aws_cloudwatch_query_definition.this) :
      strcontains(file("docs/operations.md"), "`${name}`")
    ])
    error_message = "docs/operations.md should say when to use each query."
  }

  # Log lines are found by their messages.
  assert {
    condition = alltrue(flatten([for query in aws_cloudwatch_query_definition.this : [
      for message in regexall("\"([^\"]+)\"", query.query_string) : anytrue([
        for path in fileset("lambda_src/ecr_scan_reporter", "**/*.py") :
        strcontains(file("lambda_src/ecr_scan_reporter/${path}"), "\"${message[0]}\"")
      ])
    ]]))
    error_message = "The functions should write each message that a query looks for."
  }

  assert {
    condition = (
      aws_cloudwatch_query_definition.this["errors and warnings"].log_group_names == tolist([
        "/aws/lambda/scan-images-scanner", "/aws/lambda/scan-reporter", "/aws/lambda/scan-repositories-scanner",
      ]) &&
      aws_cloudwatch_query_definition.this["runs"].log_group_names == tolist(["/aws/lambda/scan-repositories-scanner"])
    )
    error_message = "Each query should read the logs of the functions that write what it looks for."
  }

  # Lambda writes timeouts itself, without a message: only these fields say what happened.
  assert {
    condition = alltrue([for field in ["type", "record.status", "record.errorType", "errorMessage"] : contains(
      split(", ", regex("fields (.*)", aws_cloudwatch_query_definition.this["errors and warnings"].query_string)[0]), field,
    )])
    error_message = "Timeouts should be shown with their type and status."
  }

  assert {
    condition = (
      strcontains(
        aws_cloudwatch_query_definition.this["messages that failed"].query_string, "\"image not processed; the message is retried\"",
      ) &&
      strcontains(aws_cloudwatch_query_definition.this["messages that failed"].query_string, "level like /ERROR/") &&
      strcontains(aws_cloudwatch_query_definition.this["messages that failed"].query_string, " repository, digest, message_id, reason") &&
      strcontains(aws_cloudwatch_query_definition.this["reports that were not published"].query_string, "\"could not publish an overview\"")
    )
    error_message = "The queries should find scan events that the reporter could not process, and overviews that SNS rejected."
  }
}

run "widget" {
  variables {
    dashboard_widget = true
  }

  assert {
    condition = (
      contains(aws_cloudwatch_query_definition.this["errors and warnings"].log_group_names, "/aws/lambda/scan-console-widget") &&
      length(aws_cloudwatch_query_definition.this["errors and warnings"].log_group_names) == 4
    )
    error_message = "Errors of the widget's function should be found too."
  }

  assert {
    condition = alltrue([for title in ["Invocations by day", "Errors and throttles"] : anytrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : contains(
        [for metric in try(widget.properties.metrics, []) : metric[3]], "scan-console-widget",
      ) if try(widget.properties.title, "") == title
    ])])
    error_message = "The dashboard should show the widget's function with the other functions."
  }
}
