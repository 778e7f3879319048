"""Holds what is remembered: the items of the memory table, their keys and their shapes.

  pk                 sk                                        holds                               written by
  REPOSITORY#<name>  IMAGE#<digest>                            the last scan, about 300 bytes      reporter
                     IMAGE#<digest>#ASKED                      its scan in ECR; which run asked    images scanner
                     FINDINGS#<digest>#<part>                  the findings, compressed            reporter
                     INDEX#<digest>                            the manifests of an image index     images scanner,
                                                                                                   reporter
                     REPOSITORY                                since when the repository is known  reporter
                     TRACK#<platform>#<label>#<time>#<digest>  an image of a track, by time        reporter
  STATES             <repository>                              a repository after its last run     images scanner
  SUMMARIES          <repository>                              what the overview says of it        images scanner
  OVERVIEWS          LAST                                      the last overview                   reporter
                     SNAPSHOT#<time>#<part>                    what was open in each repository    reporter
  RUNS               <run>                                     how far a run of the schedule is    repositories scanner,
                                                                                                   reporter
  PASSES             OPEN                                      the pass that is not complete       repositories scanner
                     HEARTBEAT                                 when the last heartbeat came        repositories scanner
  WINDOWS            <window>                                  since when something waits in it    reporter
                     #PUBLISHER                                who publishes, and the next check   reporter
  OUTBOX#<window>    <repository>#<digest>#<time>[-OVERDUE]    an image that waits to be reported  reporter
  IGNORED            0, 1, ...                                 the rules for ignored findings      Terraform
  RULES              <hash of a rule>                          when a rule was added and used      reporter

A repository of another account or Region is `<account>/<region>/<name>`. Times are Unix seconds, or RFC 3339 in keys,
always UTC. `expires` is the table's TTL attribute; an expired item may still be there for days, and is still valid.
"""
