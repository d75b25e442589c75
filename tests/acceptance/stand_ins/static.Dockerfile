# For gcr.io/distroless/static-debian13:nonroot: time zones, certificates, a user, and no program at all.
FROM stand-in/debian AS debian
RUN echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' > /etc/passwd \
    && mkdir --parents /made/home /made/tmp

FROM scratch
COPY --from=debian /etc/passwd /etc/passwd
COPY --from=debian /usr/share/zoneinfo/ /usr/share/zoneinfo/
COPY --from=debian /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=debian --chown=65532:65532 /made/home/ /home/nonroot/
COPY --from=debian --chmod=1777 /made/tmp/ /tmp/
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
