output "function" {
  description = "The Lambda function."
  value       = aws_lambda_function.this
}

output "role" {
  description = "The function's role."
  value       = aws_iam_role.this
}

output "policy" {
  description = "The policy of the function's role: all that the function may do."
  value       = aws_iam_role_policy.this
}

output "log_group" {
  description = "The function's log group."
  value       = aws_cloudwatch_log_group.this
}
