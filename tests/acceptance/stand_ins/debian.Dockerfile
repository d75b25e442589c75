# Debian's packages as mmdebstrap unpacks them, and whom this machine trusts: its network may have a CA of its own.
FROM scratch
ADD debian.tar /
COPY ca-certificates.crt /etc/ssl/certs/
RUN cp /usr/share/base-passwd/passwd.master /etc/passwd \
    && cp /usr/share/base-passwd/group.master /etc/group \
    && mkdir --parents /usr/local/bin
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt
CMD ["bash"]
