FROM node:22-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install script, neither to build nor to run the service.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
RUN npm run build && npm ci --omit=dev --ignore-scripts

FROM node:22-alpine
# In a container, loopback would be reached by nobody. So it does not start before it is told who may use it:
# QUORATE_KEYS_FILE, QUORATE_JWT_ISSUER, QUORATE_TLS_CLIENT_CA, or QUORATE_INSECURE=1.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
# With or without TLS; its certificate is for other names than this address.
# Checks that the process is alive, not that it has a quorum: a restart would not bring a quorum back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD wget -q -O /dev/null --no-check-certificate "http${QUORATE_TLS_CERT:+s}://127.0.0.1:$PORT/livez" || exit 1
CMD ["node", "dist/main.js"]
