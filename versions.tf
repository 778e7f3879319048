terraform {
  # 1.9: a validation may look at other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # A minimum only: an upper bound would hold back every configuration that calls the module.
      version = ">= 5.100"
    }
  }
}
