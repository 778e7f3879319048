# The inputs with which checkov checks the module: those that satisfy a check.
kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
log_retention_days = 365
tracing            = true
vpc_config         = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
