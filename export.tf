# What is open goes to export_bucket after each run: the repositories scanner asks for it through the reports queue, and
# the reporter writes it.

locals {
  export_setting = var.export_bucket == null ? "" : jsonencode({
    bucket      = var.export_bucket
    owner       = coalesce(var.export_bucket_owner, local.account_id)
    prefix      = var.export_prefix
    kms_key_arn = var.export_kms_key_arn == null ? "" : var.export_kms_key_arn
  })

  # Of the repositories scanner. The reporter exports once a run has ended, which it knows.
  request_export_statement = { for sid, resources in { RequestExport = [local.arns.reports] } : sid => {
    actions   = ["sqs:SendMessage"]
    resources = resources
  } if var.export_bucket != null }

  # Of the reporter.
  export_statements = { for sid, statement in {
    # The CSV file is uploaded in parts, which are given up if it is there already. Nothing can be read or deleted.
    WriteExport = {
      needed    = var.export_bucket != null
      actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
      resources = ["arn:${local.partition}:s3:::${coalesce(var.export_bucket, "-")}/${var.export_prefix}*"]
    }
    # S3 decrypts the parts of a file to put them together.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
    EncryptExport = {
      needed    = var.export_bucket != null && var.export_kms_key_arn != null
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [var.export_kms_key_arn]
    }
  } : sid => { actions = statement.actions, resources = statement.resources } if statement.needed }
}
