COPY bulk FROM :'file';
