output "function" {
  description = "The Lambda function."
  value       = aws_lambda_function.this
}

output "role" {
  description = "Execution role of the function."
  value       = aws_iam_role.this
}

output "policy" {
  description = "Policy of the function's role, with all of the function's permissions."
  value       = aws_iam_role_policy.this
}

output "log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this
}
