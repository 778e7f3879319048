"""Holds what is remembered: the items of the memory table, their keys and their shapes.

    pk                  sk                                       holds                                     written by
    REPOSITORY#<name>   IMAGE#<digest>                           the last scan of an image, about 300 B  reporter
                        IMAGE#<digest>#ASKED                     when a scan was asked for, by which run images scanner
                        FINDINGS#<digest>#<part>                 the findings, compressed                reporter
                        INDEX#<digest>                           the manifests of an image index         both
                        REPOSITORY                               since when the repository is known      reporter
                        TRACK#<platform>#<label>#<time>#<digest> an image of a track, in order of time   reporter
    STATES              <repository>                             a repository after its last run         images scanner
    SUMMARIES           <repository>                             what the digest says of a repository    images scanner
    DIGESTS             LAST                                     when the last digest was published        reporter
                        SNAPSHOT#<time>#<part>               what was open in each repository then     reporter
    RUNS                <run>                                    how far a run of the schedule is        all
    PASSES              OPEN                                     the pass that is not complete  repositories scanner
    WINDOWS             <window>                                 what waits to be reported, and when     reporter
    OUTBOX#<window>     <repository>#<digest>[#OVERDUE]#<time>   one image that waits to be reported     reporter
    IGNORED             0, 1, ...                                the rules for ignored findings          Terraform
    RULES               <hash of a rule>                         when a rule was added, matched and used reporter

A repository of another account or Region is `<account>/<region>/<name>`. Times are Unix seconds, or RFC 3339 in keys,
always UTC. `expires` is the table's TTL; an expired item may still be there for days, and is as good as any other.
"""
