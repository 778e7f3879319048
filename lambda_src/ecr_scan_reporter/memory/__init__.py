"""Holds the memory of the functions: the items of the memory table, their keys and their shapes.

  pk                            sk                            holds                               written by
  REPOSITORY#<registry>#<name>  IMAGE#<digest>#1              the last scan, about 300 bytes      reporter
                                IMAGE#<digest>#ASKED#1        its scan in ECR; which run asked    images scanner
                                FINDINGS#<digest>#<part>#1    the findings, compressed            reporter
                                CVES#<digest>#1               checksums of the CVE ids, for the   reporter
                                                              catalog
                                INDEX#<digest>#1              the manifests of an image index     images scanner,
                                                                                                  reporter
                                PUSHED#<time>#<digest>#1      an image by its push, to find the   reporter
                                                              predecessor of a later one
  REGISTRY#<registry>           REGISTRY                      since when the registry is known    reporter
  REPOSITORIES#<registry>       <repository>                  since when it is known              reporter
  STATES#<registry>             <repository>#1                a repository after its last run,    repositories scanner,
                                                              or since when it waits for one      images scanner
  SUMMARIES#<registry>          <repository>#1                its summary for the overview        images scanner
  LOST#<registry>               <day>#<repository>#<digest>   a scan whose event never came       reporter
  RUNS#<registry>               <run>                         how far a run of the schedule is    repositories scanner,
                                                                                                  reporter
  PASSES#<registry>             OPEN#1                        the pass that is not complete       repositories scanner
                                HEARTBEAT                     when the last heartbeat came        repositories scanner
  DAILY#<registry>              PASS#1                        how far the daily pass is           reporter
  EXPORTS#<registry>            <run>#1                       how far the export is               reporter
                                <run>#REST#<findings>#<n>#1   the end of its CSV file so far      reporter
  OVERVIEWS                     LAST                          the last overview                   reporter
                                SNAPSHOT#<time>#<part>#1      open findings of each repository    reporter
  WINDOWS                       <window>                      since when something waits in it    reporter
                                #PUBLISHER                    who publishes, and the next check   reporter
                                #PUBLISHED#<report>#<part>    the changes of a begun report       reporter
  SENT                          <message>                     a rejected message that is out now   reporter
  OUTBOX#<window>               <registry>#<repository>       an image that waits to be reported  reporter
                                  #<digest>#<time>-<revision>#1
  CATALOG                       KEV#1                         the last good copy of the catalog   catalog reader
                                                              of known exploited vulnerabilities
  IGNORED                       0, 1, ...                     the rules for ignored findings      Terraform
  RULES                         <hash of a rule>              when a rule was added and used      reporter

The 1 is the format (`items.FORMAT`). Of an item in several formats, the one that was written last counts; of an image,
the one with the last event. An item without a format has attributes that every release reads and adds to: one with
another meaning gets another name. An item that cannot be read counts as missing.

<registry> is `<account>#<region>`. No name in a key has a `#`, so that no two items can have the same key. Times are
Unix seconds, or RFC 3339 in keys, always UTC. `expires` is the table's TTL attribute; an expired item may still be
there for days, and is still valid.
"""
