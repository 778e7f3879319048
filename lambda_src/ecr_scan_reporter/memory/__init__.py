"""Holds what is remembered: the items of the memory table, their keys and their shapes.

  pk                            sk                            holds                               written by
  REPOSITORY#<registry>#<name>  IMAGE#<digest>                the last scan, about 300 bytes      reporter
                                IMAGE#<digest>#ASKED          its scan in ECR; which run asked    images scanner
                                FINDINGS#<digest>#<part>      the findings, compressed            reporter
                                INDEX#<digest>                the manifests of an image index     images scanner,
                                                                                                  reporter
                                REPOSITORY                    since when the repository is known  reporter
                                PUSHED#<time>#<digest>        an image by its push, to find out   reporter
                                                              what a later one replaces
  REGISTRY#<registry>           REGISTRY                      since when the registry is known    reporter
  STATES#<registry>             <repository>                  a repository after its last run,    repositories scanner,
                                                              or since when it waits for one      images scanner
  SUMMARIES#<registry>          <repository>                  what the overview says of it        images scanner
  RUNS#<registry>               <run>                         how far a run of the schedule is    repositories scanner,
                                                                                                  reporter
  PASSES#<registry>             OPEN                          the pass that is not complete       repositories scanner
                                HEARTBEAT                     when the last heartbeat came        repositories scanner
  OVERVIEWS                     LAST                          the last overview                   reporter
                                SNAPSHOT#<time>#<part>        what was open in each repository    reporter
  WINDOWS                       <window>                      since when something waits in it    reporter
                                #PUBLISHER                    who publishes, and the next check   reporter
  OUTBOX#<window>               <registry>#<repository>       an image that waits to be reported  reporter
                                  #<digest>#<time>[-OVERDUE]
  IGNORED                       0, 1, ...                     the rules for ignored findings      Terraform
  RULES                         <hash of a rule>              when a rule was added and used      reporter

<registry> is `<account>#<region>`. No name in a key has a `#`, so that no two items can have the same key. Times are
Unix seconds, or RFC 3339 in keys, always UTC. `expires` is the table's TTL attribute; an expired item may still be
there for days, and is still valid.
"""
