# The first run: a rule with a rate first fires after one interval, which may be days. This one asks the repositories
# scanner every ten minutes whether any run has begun, and has it begin one if not. After that, it starts nothing.

resource "aws_cloudwatch_event_rule" "first_run" {
  name                = local.names.first_run
  description         = "Starts a run of the repositories scanner if there was none yet."
  schedule_expression = "rate(10 minutes)"
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags

  depends_on = [aws_dynamodb_table.memory]
}

resource "aws_cloudwatch_event_target" "first_run" {
  rule  = aws_cloudwatch_event_rule.first_run.id
  arn   = module.repositories_scanner.function.arn
  input = jsonencode({ firstRun = true })

  depends_on = [aws_lambda_permission.first_run]
}

resource "aws_lambda_permission" "first_run" {
  statement_id  = "AllowFirstRunRule"
  action        = "lambda:InvokeFunction"
  function_name = module.repositories_scanner.function.id
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.first_run.arn
}
