variable "teams" {
  description = "Email address of each team, by the first part of the names of its repositories."
  type        = map(string)
  default = {
    payments = "payments@example.com"
    search   = "search@example.com"
  }
  nullable = false
}
